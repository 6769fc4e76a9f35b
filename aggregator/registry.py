"""The study as a record for the registry of differential privacy deployments, readable by machines.

The form is that of https://github.com/opendp/deployments-registry-data (tier 3, November 2026), so the
coordinator may hand it in. `docs/schemas/deployment.schema.json` holds its fields.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import yaml

from shared.mechanism import mechanism_of
from shared.promise import ANYONE, odds, promise
from shared.study import Study

FILE: Final = "deployment.yaml"
CURATOR: Final = "The coordinator of the community"

_NEIGHBOURS: Final = {
    "view": "one viewing less of one show in one ISO week",
    "show": "all views of one show in one ISO week removed",
    "week": "all views of one ISO week removed",
}
_WHY: Final = {
    "randomized-response": "Randomized response of each cell: the best there is where one show is protected and counts "
    "are 0 or 1; where whole weeks are, better ones are known, which OpenDP does not have.",
    "laplace": "Discrete Laplace noise: counts above 1, and no floating-point weakness.",
}
_UNITS: Final = {
    "view": "One viewing of a person in a week",
    "show": "One show of a person in a week",
    "week": "One week of a person",
}

_ONE: Final = {
    "model_name": "Local",
    "model_name_details": "Noise is added on each member's own machine before anything is published: the "
    "promise holds against everyone, whoever gets the file.",
    "actors": "Members (publish noised releases), the coordinator (adds them up), whoever runs the "
    "SyftBox server (carries the files), readers of the results. None of them is trusted.",
}
_TWO: Final = {
    "model_name": "Federated",
    "model_name_details": "Counts are split into two random halves, each encrypted to one of two coordinators; each of "
    "them adds the full noise to its half of the sum. The promise holds as long as one of the two is honest.",
    "actors": "Members (share their counts), leader and helper (each adds up its halves and adds noise; not both may "
    "be dishonest), whoever runs the SyftBox server (carries the files) and readers of the results (not trusted).",
}


def deployment_record(study: Study, curator: str, published: date) -> dict[str, Any]:
    """Return the record of a study, published on that day. `curator` is the name that is given there, in public."""
    mechanism = mechanism_of(study)
    caps = f"Counts are capped at {study.max_views_per_show} a show"
    if study.max_shows_per_week:
        caps += f" and at the {study.max_shows_per_week} most viewed shows of a week"
    return {
        "url_slug": f"netflix-trend-{study.id[:8]}",
        "status": "Draft",
        "tier": 3,
        "deployment": {
            "basic": {
                "name": "Netflix trend of a community",
                "data_curators": [curator],
                "intended_use": "To know which show most members of a community watched in a week, and what is rising "
                "or falling, without learning what any one of them watched.",
                "data_product_type": "Summary statistics",
                "data_product_region": "Wherever the members of the community live",
                "description": "Weekly counts of the members who watched each show of a public catalogue, with "
                "intervals, the most common show and trends.",
                "publication_date": published.isoformat(),
                "data_product_sector": "Technology",
            },
            "dp_variant": {
                "variant_name": "Pure DP",
                "data_domain": "Netflix viewing histories: titles with dates, of any length. Each is reduced to counts "
                f"over {study.catalogue_rows:,} shows (SHA-256 of the catalogue: {study.catalogue_sha256}) and ISO "
                f"weeks. {caps}.",
                "unprotected_quantities": "That one takes part, in which weeks releases were made, when an export was "
                "made, whether it could be read, its encoding and the form of its dates; the catalogue and the study.",
            },
            "privacy_loss": {
                "privacy_unit": _UNITS[study.unit],
                "privacy_unit_details": f"Neighbouring histories: with, or without, {_NEIGHBOURS[study.unit]}. The "
                f"bounded counts of a week then differ by at most {study.sensitivity} in L1.",
                "privacy_parameters": {"epsilon": study.epsilon},
                "privacy_parameters_details": promise(study, ANYONE),
            },
            "deployment_model": {
                **(_TWO if study.trust == "two-coordinators" else _ONE),
                "release_type": "Many releases",
                "release_type_details": "One release for each member and closed week, drawn once and republished cell "
                "for cell ever after. Each member sets a limit for a week and in all; beyond it nothing is released.",
                "data_source_type": "Dynamic",
                "data_source_type_details": "A new week each week; weeks that were released are not opened again.",
                "access_type": "Non-interactive",
                "access_type_details": "Releases go to the coordinator; the results, all made of them, are public.",
            },
            "accounting": {
                "post_processing": "Sums, unbiased estimates, intervals, ranking and trends are computed from releases "
                f"alone. A week with fewer than {study.min_participants} releases is withheld.",
                "composition": f"Sequential: k units cost k x {study.epsilon:g}; in a year, one unit a week: "
                f"{odds(52 * study.epsilon)}. The member's own ledger adds up.",
            },
            "implementation": {
                "preprocessing_and_hyperparameter_tuning": "Titles are reduced to shows by the title and the public "
                "catalogue alone. Epsilon, caps and catalogue are public terms, set before any data is read.",
                "mechanisms": f"{study.mechanism} by OpenDP: each cell {mechanism.words}. Before each draw OpenDP's "
                "privacy map is checked to be at most epsilon. Histories stay in a folder that no SyftBox client "
                "synchronises, readable by the member's account alone.",
                "justification": f"{_WHY[study.mechanism]} Every member can measure the promise on their own "
                "machine: netflix-trend-participant audit.",
            },
            "administrative": {
                "sources": "study.json, catalogue.csv and the results are in the same folder as this record.",
                "notes": f"Study {study.id}; follows {study.predecessor or 'no other'}.",
                "registry_authors": [curator],
            },
        },
    }


def format_record(record: dict[str, Any]) -> bytes:
    """Return a record as YAML, its texts in quotes as the registry asks for."""
    return yaml.dump(record, Dumper=_Quoting, sort_keys=False, allow_unicode=True, width=10**6).encode()


class _Quoting(yaml.SafeDumper):
    """Writes texts that are values in single quotes, and keys plain."""

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:  # noqa: FBT001  # PyYAML's own
        node = super().represent_mapping(tag, mapping, flow_style)
        for _, value in node.value:
            for item in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if isinstance(item, yaml.ScalarNode) and item.tag == "tag:yaml.org,2002:str":
                    item.style = "'"
        return node
