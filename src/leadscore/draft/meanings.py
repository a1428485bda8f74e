"""What the words in the data mean: kinds of interactions, stages, names of attributes.

Goes in: a kind, a stage, a name. Comes out: what it probably is, with the reason in a
few words; nothing where no word is known. English, French, German, Spanish, some Dutch.
"""

from __future__ import annotations

from typing import NamedTuple

from leadscore.draft.mail import is_click, is_open
from leadscore.draft.words import (
    CONSENT,
    CONSENT_INVERSE,
    NO_MAIL,
    match,
    spoken,
    tokens,
    word_set,
)

__all__ = [
    "Earns",
    "ending_of",
    "is_about_people",
    "is_consent",
    "is_consent_inverse",
    "is_hand_raise",
    "is_harmless",
    "is_recycled",
    "is_sales_action",
    "points_of",
    "wants_no_mail",
    "why_no_attribute",
    "win_rank",
]


_ASKS = word_set(
    "request requested requests demande demandee demander anfrage angefragt anfordern "
    "angefordert solicitud solicitada solicitado pedido"
)
_ASKED_FOR = word_set(
    "demo demonstration contact rappel callback call quote devis pricing price prix "
    "tarif rendez rdv kontakt ruckruf angebot vorfuhrung contacto llamada presupuesto "
    "trial essai meeting appointment"
)
_RAISES = [
    "contact_us",
    "contact_sales",
    "talk_to_sales",
    "contactez_nous",
    "contact_form",
    "hand_raise",
    "formulaire_de_contact",
    "kontaktformular",
    "formulario_de_contacto",
]

_SALES = word_set(
    "call calls called appel appels anruf anrufe llamada llamadas phone telefonat "
    "meeting meetings rdv reunion reunions termin besprechung reuniones cita quote "
    "quotes quotation devis angebot angebote presupuesto cotizacion offerte offertes "
    "proposal proposals proposition propuesta offer offers offre offres oferta "
    "contract contrat contrato vertrag negotiation negociation verhandlung "
    "negociacion invoice facture rechnung factura task tache aufgabe tarea note notes "
    "relance nabellen bellen voicemail"
)
_SALES_PHRASES = [
    "sales_email",
    "rendez_vous",
    "e_mail_commercial",
    "email_commercial",
    "mail_commercial",
    "courriel_commercial",
    "vertriebsmail",
    "vertriebs_e_mail",
    "correo_comercial",
    "sales_mail",
    "follow_up",
    "visite_commerciale",
    "demo_done",
    "demo_held",
    "demo_realisee",
    "demonstration_realisee",
    "email_du_commercial",
    "sales_activity",
    "outbound_email",
    "one_to_one_email",
    "sales_visit",
    "email_de_vente",
]

_WON = word_set(
    "won closedwon customer customers client clients kunde kunden cliente gagne "
    "gagnee gewonnen ganado ganada approved approuve approuvee genehmigt aprobado "
    "redeemed utilise converted converti konvertiert convertido signed signe signee "
    "firmado unterzeichnet purchased purchase bought sold vendu verkauft vendido "
    "achat commande ordered subscribed abonne paid paye"
)
_OPENED = word_set(
    "opportunity opportunite opportunites oportunidad verkaufschance chance deal sql "
    "opp affaire"
)
_WEAK = word_set(
    "accepted accepte acceptee angenommen aceptado activated active aktiviert "
    "registered inscrit enrolled qualified qualifie"
)
_LOST = word_set(
    "lost closedlost declined rejected refused cancelled canceled perdu perdue refuse "
    "refusee rejete rejetee annule annulee verloren abgelehnt storniert perdido "
    "perdida rechazado cancelado abandonne abandoned withdrawn churned dropped"
)
_DISQUALIFIED = word_set(
    "disqualified unqualified disqualifie disqualifiee unqualifiziert descalificado "
    "junk spam bogus invalid student competitor etudiant concurrent hors_cible "
    "disqualifiziert"
)
_RECYCLED = word_set(
    "recycled recycle recyclee nurture nurturing reopened rouvert reactivated "
    "reactive requalified wiedervorlage reciclado"
)


class Earns(NamedTuple):
    """The points that the field gives for a kind."""

    points: int
    cap: int | None = None
    half_life_days: int | None = None


def points_of(kind: str) -> Earns | None:
    """Return the usual points for a kind of interaction, or None."""
    words = tokens(kind)
    if words & word_set(
        "unsubscribe unsubscribed desabonnement desinscription abmeldung"
    ):
        return Earns(-10)
    if is_hand_raise(kind):
        return Earns(20, None, 60)
    if (
        words & word_set("whitepaper ebook telechargement download downloaded descarga")
        or {
            "livre",
            "blanc",
        }
        <= words
    ):
        return Earns(5)
    if words & word_set("webinar webinaire webinario"):
        attended = words & word_set(
            "attended attend participe participation present suivi teilgenommen "
            "asistido assiste"
        )
        return Earns(8, None, 90) if attended else Earns(3)
    if words & word_set("pricing tarifs tarif prix preise precios"):
        return Earns(4, None, 30)
    if is_click(kind):
        return Earns(3, 12)
    if is_open(kind):
        return Earns(2, 10)
    return None


def is_hand_raise(kind: str) -> bool:
    """Return whether the lead asks to be contacted."""
    words, plain = tokens(kind), spoken(kind)
    asks = bool(words & _ASKS and words & _ASKED_FOR)
    return asks or any(phrase in plain for phrase in _RAISES)


def is_sales_action(kind: str) -> bool:
    """Return whether sales does this, because it already believes in the lead."""
    if is_hand_raise(kind):
        return False
    plain = spoken(kind)
    return bool(tokens(kind) & _SALES) or any(p in plain for p in _SALES_PHRASES)


def win_rank(stage: str) -> int:
    """Return how much a stage sounds like success.

    3 won or customer, 2 opportunity, 1 accepted or registered, 0 not at all.
    """
    words = tokens(stage)
    if ending_of(stage) or is_recycled(stage) or words & word_set("not non no nicht"):
        return 0
    return 3 * bool(words & _WON) or 2 * bool(words & _OPENED) or bool(words & _WEAK)


_CHANNELS = word_set(
    "email emails mail mails mailing newsletter courriel courriels correo sms fax call "
    "calls phone anruf telefon appel"
)


def ending_of(stage: str) -> str:
    """Return ``lost``, ``disqualified``, or nothing."""
    words, plain = tokens(stage), spoken(stage)
    if words & _DISQUALIFIED or "hors_cible" in plain or "non_qualifie" in plain:
        return "disqualified"
    return "lost" if words & _LOST else ""


def is_recycled(stage: str) -> bool:
    """Return whether a stage gives a lost lead a second chance."""
    return bool(tokens(stage) & _RECYCLED)


def is_consent(name: str) -> bool:
    """Return whether a column says that a lead objects to being scored."""
    return match(name, CONSENT) > 0 and not wants_no_mail(name)


def wants_no_mail(name: str) -> bool:
    """Return whether a column says that a lead wants no mail, or no call."""
    is_opt_out = match(name, CONSENT) > 0 and bool(tokens(name) & _CHANNELS)
    return is_opt_out or match(name, NO_MAIL) > 0


def is_consent_inverse(name: str) -> bool:
    """Return whether a column says that a lead agrees."""
    return not is_consent(name) and match(name, CONSENT_INVERSE) > 0


def is_harmless(name: str) -> bool:
    """Return whether a column's values can be shown: they are no names of people."""
    return bool(tokens(name) & _HARMLESS) and not is_about_people(name)


def is_about_people(name: str) -> bool:
    """Return whether a column holds personal data, or who of sales is in charge."""
    words = tokens(name)
    return any(words & signs and not words & excuses for _, signs, excuses in _PEOPLE)


_HARMLESS = word_set(
    "industry industrie secteur sector branche sektor function fonction funktion "
    "funcion seniority hierarchique source origine quelle origen herkunft country "
    "pays land pais region region canton kanton bundesland provincia departement "
    "campaign campagne kampagne channel canal kanal size taille groesse grosse tamano "
    "employees employes effectif mitarbeiter empleados language langue sprache idioma "
    "segment product produit produkt producto currency devise type plan title titre"
)
_FIRMS = word_set(
    "company account societe entreprise firma empresa organisation organization "
    "unternehmen compte"
)
_SIZES = word_set(
    "employees employes salaries effectif mitarbeiter empleados kids children enfants "
    "kinder household menage personnes staff rooms"
)

# (why, words of which one is enough, words that excuse)
_NO_ATTRIBUTE: tuple[tuple[str, frozenset[str], frozenset[str]], ...] = (
    (
        "personal data",
        word_set(
            "email mail courriel correo emails phone mobile telephone tel portable "
            "telefon handy telefono movil fax firstname lastname prenom vorname "
            "surname nachname apellido apellidos nombre name nom address adresse "
            "direccion street rue strasse calle zip postal plz linkedin twitter "
            "facebook instagram ip birth birthday birthdate naissance geburtsdatum "
            "nacimiento iban siret"
        ),
        _FIRMS | word_set("source type domain campaign campagne status"),
    ),
    (
        "what sales does or decides",
        word_set(
            "owner proprietaire besitzer propietario commercial vendeur vendor rep "
            "assigned assignee assigne attribue zustandig responsable bearbeiter "
            "salesperson ansprechpartner gestionnaire betreuer kundenbetreuer vendedor "
            "vendedora comercial asesor gestor encargado verkaufer sachbearbeiter "
            "conseiller interlocuteur manager executive sdr bdr closer setter"
        ),
        word_set("title job function fonction level niveau seniority source"),
    ),
    (
        "the outcome in disguise: where the lead stands today",
        word_set(
            "status statut stage etape lifecycle phase estado etat pipeline deal "
            "deals opportunity opportunite converted conversion won lost gagne perdu "
            "customer rating score scoring grade quality qualite probability "
            "probabilite forecast closed close cloture cierre abschluss amount "
            "montant betrag importe monto mrr arr discount remise invoice facture "
            "subscription contract contrat"
        ),
        word_set(
            "marital familial familiale familienstand civil employment req requested "
            "asked demande annual annuel home housing credit"
        ),
    ),
    (
        "a running total as of the export, which holds the future",
        word_set(
            "number nombre count total totals sessions pageviews visits times anzahl "
            "numero num nb cumul"
        ),
        _SIZES | word_set("phone"),
    ),
    (
        "the latest of something as of the export, which holds the future",
        word_set("last latest recent derniere dernier letzte ultimo ultima"),
        word_set("name"),
    ),
)


_PEOPLE = _NO_ATTRIBUTE[:2]


def why_no_attribute(name: str) -> str:
    """Return why a column of leads should not be a feature, by its name; or nothing."""
    words = tokens(name)
    for why, signs, excuses in _NO_ATTRIBUTE:
        if words & signs and not words & excuses:
            return why
    return ""
