"""Countries a nationality may name: ISO 3166-1 alpha-2, as kept by the pycountry package."""

from __future__ import annotations

import pycountry

COUNTRIES: frozenset[str] = frozenset(country.alpha_2 for country in pycountry.countries)
