"""Whether promises hold: simulated firms, real sets, drift, beside what others do."""
