"""What `install` asks in a terminal before it begins, and what it checks and tells afterwards."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol, cast

from participant.app import COORDINATOR, ledger_path, read_history_of
from participant.history import DateOrder
from participant.ledger import read_ledger
from participant.preview import preview
from participant.settings import Settings, read_settings
from participant.status import export_age
from participant.terms import helpers, read_terms
from shared.errors import DateOrderUnknown, NetflixTrendError, NotYet, ProfileUnknown
from shared.promise import promise
from shared.week import IsoWeek
from shared.workspace import PARTICIPANT_APP, Workspace, check_email

_MOST_QUESTIONS: Final = 3  # about one export: profile, date order, and a wrong profile before
_MOST_DATASITES: Final = 100_000


@dataclass(frozen=True)
class Wishes:
    """What was said to `install`, as options or in answers; None and empty: nothing."""

    aggregator: str | None = None
    histories: tuple[str, ...] = ()
    profile: str | None = None
    date_order: DateOrder | None = None


class Ask(Protocol):
    """How a person at a terminal is asked."""

    def text(self, question: str, default: str | None, check: Callable[[str], str]) -> str:
        """Return what they typed, once `check` takes it (it raises SettingsError otherwise)."""

    def choice(self, question: str, choices: Sequence[str]) -> str:
        """Return one of these."""


def ask_what_is_missing(workspace: Workspace, wishes: Wishes, home: Path, ask: Ask) -> Wishes:
    """Return the wishes with what install needs and was not told: coordinator, profile, date order. Writes nothing."""
    path = workspace.app(PARTICIPANT_APP) / "settings.toml"
    settings = read_settings(path) if path.exists() else Settings("")
    with read_ledger(ledger_path(workspace)) as ledger:
        if not (wishes.aggregator or settings.aggregator or ledger.fact(COORDINATOR)):
            here = coordinators_here(workspace)
            default = here[0] if len(here) == 1 else None
            answer = ask.text("The coordinator's e-mail address", default, check_email)
            wishes = dataclasses.replace(wishes, aggregator=answer)
        for _ in range(_MOST_QUESTIONS):
            try:
                read_history_of(settings_with(settings, wishes), ledger, home)
            except ProfileUnknown as error:
                answer = ask.choice("Which profile is yours?", error.profiles)
                wishes = dataclasses.replace(wishes, profile=answer)
            except DateOrderUnknown as error:
                if not error.orders:  # the file contradicts what was said: install tells how
                    break
                answer = ask.choice(f"{error}. Which is it?", error.orders)
                wishes = dataclasses.replace(wishes, date_order=cast("DateOrder", answer))
            except NetflixTrendError:  # install says it
                break
            else:
                break
    return wishes


def settings_with(settings: Settings, wishes: Wishes) -> Settings:
    """Return settings as these wishes would change them."""
    return dataclasses.replace(
        settings,
        aggregator=wishes.aggregator or settings.aggregator,
        history=wishes.histories or settings.history,
        profile=wishes.profile or settings.profile,
        date_order=wishes.date_order or settings.date_order,
    )


def coordinators_here(workspace: Workspace) -> list[str]:
    """Return the datasites here that publish a study, without those who only help another one."""
    try:
        found = sorted(path.name.lower() for path in workspace.datasites.iterdir())[:_MOST_DATASITES]
    except OSError:
        return []
    offering = [name for name in found if (workspace.results(name) / "study.json").is_file()]
    helping = {email for name in offering for email in helpers(workspace, name)}
    return [name for name in offering if name not in helping]


def checks(workspace: Workspace, now: datetime, home: Path) -> list[str]:
    """Return what an installation finds, and what happens next and when: a line each."""
    settings = read_settings(workspace.app(PARTICIPANT_APP) / "settings.toml")
    lines = [f"workspace: {workspace.box}, datasite {workspace.email}, client config {workspace.config}"]
    if not workspace.my_datasite.is_dir():
        lines.append("your datasite's folder is not here yet: start SyftBox")
    with contextlib.suppress(NetflixTrendError), read_ledger(ledger_path(workspace)) as ledger:
        age = export_age(settings, ledger, now, home)  # that there is none, install has said
        lines += [age.line] if age.line else []
    about_study = _study_lines(workspace, settings)
    lines += about_study
    starts = "within seconds" if workspace.stays_up else "every ten seconds"
    first = _first(workspace, now, home, about_study)
    lines.append(f"next: while SyftBox is running it starts the app by itself, {starts}; {first}")
    monday = IsoWeek.of(now.date()).end
    lines.append(
        f"then: this week follows once it is over, with a history downloaded on {monday:%A, %d %B} or later. "
        f"netflix-trend-participant status tells what was released"
    )
    return lines


def _study_lines(workspace: Workspace, settings: Settings) -> list[str]:
    """Return whether the coordinator's study has arrived and is within the limits, and what it promises."""
    coordinator = settings.aggregator
    try:
        study, _ = read_terms(workspace, coordinator)
        settings.check_limits(study)
    except NotYet:
        if not workspace.datasite(coordinator).is_dir():
            return [f"study: nothing of {coordinator} is here yet; SyftBox brings it. If this lasts, check the address"]
        return [f"study: that of {coordinator} is not here yet; SyftBox brings it, and the app waits for it"]
    except NetflixTrendError as error:
        return [str(error)]
    terms = f"epsilon {study.epsilon:g} per {study.unit} and week over {study.catalogue_rows:,} shows"
    return [f"study: {study.id[:8]} of {coordinator} is here and within your limits: {terms}", promise(study)]


def _first(workspace: Workspace, now: datetime, home: Path, said: list[str]) -> str:
    """Return what the first pass will do, as the end of a sentence; what was `said` is not said again."""
    settings = read_settings(workspace.app(PARTICIPANT_APP) / "settings.toml")
    try:
        found = preview(workspace, settings, now, home)
    except NetflixTrendError:
        return "the weeks already over are released as soon as the study and your history are here"
    if found.obstacle:
        return "nothing is released before" if found.obstacle in said else f"nothing is released yet: {found.obstacle}"
    if not found.weeks:
        return "there is nothing new to release now"
    first, *_, last = [*found.weeks, *found.weeks]
    weeks = f"the weeks {first} to {last}" if first != last else f"the week {first}"
    return f"it releases {weeks}, for epsilon {found.cost:g} of your limit {found.limit:g}"
