"""The words by which exports of the common CRMs call what we need.

Goes in: nothing. Comes out: phrases in plain spelling (no case, no accents), English,
French, German and Spanish, those of HubSpot, Salesforce, Pipedrive and Odoo among them;
the first of a list is the surest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from leadscore.store.header import plain_name

__all__ = [
    "COLUMNS",
    "CONSENT",
    "CONSENT_INVERSE",
    "FILES",
    "RECORDED",
    "match",
    "phrase_list",
    "spoken",
    "tokens",
    "word_set",
]


def spoken(name: str) -> str:
    """Return a name in plain spelling, words in camel case apart.

    Examples
    --------
    >>> spoken("CreatedDate"), spoken("Date de création")
    ('created_date', 'date_de_creation')
    """
    return plain_name(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name))


def tokens(name: str) -> frozenset[str]:
    """Return the words of a name."""
    return frozenset(spoken(name).split("_"))


def match(name: str, choices: Iterable[str]) -> float:
    """Return how well a name fits the best of some phrases, 0 (not) to 1 (exactly).

    A phrase of several words also fits inside a longer name; one word only fits alone
    or at the name's ends, so that "Last activity date" is no "activity".
    """
    plain = spoken(name)
    best = 0.0
    for place, phrase in enumerate(choices):
        rank = 0.1 * place / 100
        if plain == phrase:
            best = max(best, 1.0 - rank)
        elif "_" in phrase and f"_{phrase}_" in f"_{plain}_":
            best = max(best, 0.7 - rank)
        elif "_" not in phrase and len(phrase) > 3 and plain.startswith(f"{phrase}_"):
            best = max(best, 0.4 - rank)
    return best


def phrase_list(text: str) -> tuple[str, ...]:
    """Return the phrases of a text, a space apart; words of one phrase have a _."""
    return tuple(text.split())


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text, a space apart."""
    return frozenset(text.split())


FILES = {
    "leads": phrase_list(
        "leads lead contacts contact prospects prospect persons people person "
        "kontakte interessenten contactos clientes_potenciales personnes pistes "
        "res_partner crm_lead crm_leads cases dossiers candidates applicants "
        "households foyers"
    ),
    "interactions": phrase_list(
        "interactions interaction activities activity events event engagements tasks "
        "activites activite evenements actions actividades eventos aktivitaten "
        "ereignisse interaktionen tracking log history historique visits behaviour "
        "web_events touchpoints timeline interacciones achats purchases mail_message"
    ),
    "outcomes": phrase_list(
        "outcomes outcome deals deal opportunities opportunity resultats resultat "
        "affaires ventes opportunites transactions conversions stages stage_history "
        "sales abschlusse verkaufschancen ergebnisse oportunidades ventas resultados "
        "negocios redemptions utilisations issues pipeline status_history"
    ),
}

_LEAD_ID = phrase_list(
    "lead_id contact_id prospect_id person_id record_id associated_contact_id "
    "associated_contact_ids associated_contact who_id id_lead id_contact id_prospect "
    "id_personne n_contact no_contact num_contact numero_contact numero_de_contact "
    "n_prospect n_lead ref_contact reference_contact reference_du_contact "
    "code_contact contact_ref ref_prospect kontakt_id kontakt_nr kontaktnummer "
    "interessent_id interessentennummer lead_nr lead_nummer id_de_contacto "
    "id_contacto contacto_id id_persona id_del_contacto ref_contacto case_id "
    "case_number n_dossier id_dossier numero_dossier numero_de_dossier ref_dossier "
    "partner_id customer_id client_id id_client n_client kundennummer kunden_id "
    "id_cliente user_id uid household_id id_foyer contact lead prospect person "
    "kontakt contacto persona dossier identifiant reference ref id external_id"
)

_CREATED = phrase_list(
    "created_at created_date create_date date_created creation_date created_on "
    "created created_time lead_created person_created add_time date_de_creation "
    "date_creation cree_le creation date_d_entree date_entree entre_le erstellt_am "
    "erstellungsdatum erstellt angelegt_am anlagedatum eingangsdatum "
    "fecha_de_creacion fecha_creacion creado_el creado fecha_de_alta fecha_alta "
    "signup_date sign_up_date signed_up_at signed_up registered_at registration_date "
    "reg_date registriert_am inscrit_le date_inscription date_d_inscription "
    "first_seen_at first_seen date_added added_on lead_date start_date date_de_debut "
    "date_debut debut debute_le beginn startdatum date_de_depot date_depot"
)

_MODIFIED = phrase_list(
    "last_modified_date last_modified modified_at modified_on modified_date modified "
    "update_time updated_at updated_on update_date updated last_updated write_date "
    "system_modstamp modifie_le date_de_modification date_modification mis_a_jour_le "
    "maj_le date_maj date_de_mise_a_jour derniere_modification geandert_am "
    "anderungsdatum aktualisiert_am letzte_anderung modificado_el "
    "fecha_de_modificacion actualizado_el fecha_de_actualizacion valid_from "
    "valable_depuis"
)

RECORDED = phrase_list(
    "known_at known_on known connu_le connu recorded_at recorded_on recorded "
    "logged_at logged_on entered_at entered_on imported_at imported_on import_date "
    "loaded_at synced_at saisi_le saisie_le date_de_saisie date_saisie enregistre_le "
    "date_d_enregistrement importe_le date_d_import note_le erfasst_am erfasst "
    "bekannt_am bekannt_seit importiert_am registrado_el conocido_el importado_el "
    "fecha_de_registro"
)

_ACCOUNT = phrase_list(
    "account_id company_id associated_company_id primary_associated_company_id "
    "organization_id organisation_id org_id id_societe id_entreprise id_compte "
    "n_societe n_entreprise n_compte code_societe code_entreprise code_compte "
    "numero_societe ref_societe firma_id firmen_id firmennummer firmen_nr konto_id "
    "empresa_id id_empresa id_de_empresa id_cuenta household_id id_foyer n_foyer "
    "foyer haushalt household haushalt_id parent_id account company company_name "
    "account_name compte societe entreprise organisation organization firma "
    "unternehmen firmenname empresa cuenta nom_de_la_societe nom_de_l_entreprise"
)

_OCCURRED = phrase_list(
    "occurred_at occurred_on activity_date event_date event_time event_timestamp "
    "happened_at timestamp date_time datetime horodatage date_de_l_activite "
    "date_d_activite date_activite date_de_l_evenement date_evenement "
    "date_de_l_action date_action date_de_l_interaction date_interaction survenu_le "
    "eu_lieu_le date_et_heure date_heure zeitpunkt zeitstempel aktivitatsdatum "
    "ereignisdatum fecha_y_hora fecha_de_actividad fecha_de_la_actividad "
    "fecha_del_evento ocurrido_el marked_as_done_time done_time completed_at "
    "start_time starts_at date datum fecha quand when time moment le due_date "
    "achete_le purchased_at date_d_achat"
)

_REACHED = phrase_list(
    "occurred_at occurred_on close_date closed_date date_closed closed_at closed_on "
    "won_time stage_date stage_changed_at stage_entered_at changed_at reached_at "
    "date_entered outcome_date conversion_date converted_at date_de_cloture "
    "date_cloture cloture_le cloture date_de_l_etape date_d_etape date_etape "
    "atteint_le atteinte_le date_du_statut date_statut date_de_signature signe_le "
    "date_conversion date_de_conversion date_du_resultat abschlussdatum "
    "abgeschlossen_am schlusstermin statusdatum phasendatum erreicht_am "
    "fecha_de_cierre fecha_cierre fecha_de_etapa fecha_de_la_etapa alcanzado_el "
    "fecha_del_estado redemption_date redeemed_on redeemed_at utilise_le "
    "date_d_utilisation purchase_date order_date decision_date date_de_decision"
)

_STAGE = phrase_list(
    "stage deal_stage stage_name pipeline_stage opportunity_stage lifecycle_stage "
    "stage_id etape etape_du_pipeline etape_de_la_transaction etape_de_vente "
    "etape_atteinte stade phase verkaufsphase deal_phase vertriebsphase etapa "
    "etapa_del_negocio etapa_de_venta outcome resultat resultat_obtenu result "
    "ergebnis resultado statut statut_de_l_affaire status estado zustand etat issue "
    "conversion evenement type"
)

COLUMNS: dict[str, dict[str, tuple[str, ...]]] = {
    "leads": {
        "lead_id": _LEAD_ID,
        "created_at": _CREATED,
        "known_at": RECORDED + _MODIFIED,
        "account_id": _ACCOUNT,
        "merged_into": phrase_list(
            "merged_into merged_to master_record_id fusionne_dans fusionne_avec "
            "fusionnee_dans doublon_de duplicate_of zusammengefuhrt_mit "
            "zusammengefuhrt_in dublette_von fusionado_en fusionado_con duplicado_de"
        ),
    },
    "interactions": {
        "lead_id": _LEAD_ID,
        "occurred_at": _OCCURRED + _CREATED,
        "known_at": RECORDED + _CREATED,
        "kind": phrase_list(
            "kind activity_type event_type interaction_type engagement_type "
            "type_of_activity type_d_activite type_activite type_de_l_activite "
            "type_d_interaction type_d_evenement type_evenement type_d_action "
            "event_name activity event action activite evenement interaction "
            "aktivitatstyp aktivitatsart aktivitat ereignistyp ereignis art typ type "
            "tipo_de_actividad tipo_de_evento tipo_actividad tipo actividad evento "
            "nature task_subtype subtype accion"
        ),
        "channel": phrase_list(
            "channel canal kanal medium utm_medium support source quelle"
        ),
        "content": phrase_list(
            "content contenu inhalt contenido page page_url page_path url asset "
            "document titre_de_la_page campaign campaign_name campagne kampagne "
            "campana subject objet betreff asunto product_id product produit produkt "
            "producto article detail details title titre titel titulo"
        ),
        "duration_s": phrase_list(
            "duration_s duration_seconds duration_in_seconds duration call_duration "
            "duree_s duree_secondes duree_en_secondes duree duree_en_s dauer_s "
            "dauer_sekunden dauer_in_sekunden dauer verweildauer duracion_s "
            "duracion_segundos duracion seconds secondes sekunden segundos "
            "time_on_page temps_passe"
        ),
    },
    "outcomes": {
        "lead_id": _LEAD_ID,
        "stage": _STAGE,
        "occurred_at": _REACHED + _OCCURRED + _CREATED,
        "known_at": RECORDED,
        "reason": phrase_list(
            "reason lost_reason closed_lost_reason loss_reason motif motif_de_perte "
            "motif_du_refus raison raison_de_perte raison_de_la_perte grund "
            "verlustgrund motivo motivo_de_perdida razon"
        ),
        "amount": phrase_list(
            "amount deal_amount amount_in_company_currency deal_value value montant "
            "montant_ht montant_ttc montant_eur valeur betrag auftragswert wert "
            "importe monto valor expected_revenue planned_revenue revenue "
            "chiffre_d_affaires"
        ),
    },
}

CONSENT = phrase_list(
    "opt_out optout opted_out do_not_contact do_not_track do_not_profile objects "
    "objects_to_profiling objection opposition oppose s_oppose opposition_au_profilage "
    "refuse_le_profilage ne_pas_contacter widerspruch werbesperre nicht_kontaktieren "
    "no_contactar oposicion"
)

# They want no mail, or no call. That is no objection to being scored.
NO_MAIL = phrase_list(
    "unsubscribed do_not_email do_not_mail do_not_call desabonne desabonnement "
    "desinscrit desinscription abgemeldet abbestellt baja dado_de_baja "
    "unsubscribed_from_all_email has_opted_out_of_email hasoptedoutofemail "
    "hasoptedoutoffax donotcall email_opt_out emails_opted_out email_optout"
)

CONSENT_INVERSE = phrase_list(
    "opt_in optin opted_in consent consentement consentimiento einwilligung "
    "einverstanden subscribed abonne marketing_contact accepte gdpr_consent"
)
