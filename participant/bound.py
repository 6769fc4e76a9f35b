"""The caps of a study: by how much one person can change a sum, and so how much noise hides them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from shared.mechanism import ExactCounts
from shared.study import Study


def bound_counts(views: Mapping[int, int], study: Study) -> ExactCounts:
    """Return one bounded count for each catalogue row of the study, from a week's views per row.

    At most M = `max_views_per_show` views of a show count, and under unit `week` at most S = `max_shows_per_week`
    shows. The L1 distance between neighbours is then at most `study.sensitivity`:
    - unit `view`, one view less: one cell falls by at most 1;
    - unit `show`, one show's views removed: its cell falls by at most M;
    - unit `week`, the whole week emptied: at most S cells fall by at most M. Which S shows are kept may therefore
      depend on the whole week: the most viewed, and of equals the better known (the smaller row).
    """
    rows = sorted((row for row in views if row < study.catalogue_rows), key=lambda row: (-views[row], row))
    counts = np.zeros(study.catalogue_rows, dtype=np.int64)
    for row in rows[: study.max_shows_per_week]:
        counts[row] = min(views[row], study.max_views_per_show)
    return ExactCounts(counts)
