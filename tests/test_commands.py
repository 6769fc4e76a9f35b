"""The commands as people and SyftBox call them: processes of their own, in a workspace on disk."""

import contextlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from shared.errors import ExitCode
from tests.conftest import EXPORT

PYTHON = sys.executable
ME = "me@example.org"


class Machine:
    """A machine with a workspace, and a way to call commands on it."""

    def __init__(self, root: Path, apps: str = "apis") -> None:
        self.box, self.home = root / "box", root / "home"
        (self.box / apps).mkdir(parents=True, exist_ok=True)
        (self.box / "datasites" / ME).mkdir(parents=True, exist_ok=True)
        (self.home / "Downloads").mkdir(parents=True, exist_ok=True)
        self.config = root / "config.json"
        addresses = {"server_url": "http://127.0.0.1:5001", "client_url": "http://127.0.0.1:8080"}
        self.config.write_text(json.dumps({"data_dir": str(self.box), "email": ME, **addresses}))
        self.apps = self.box / apps
        self.environment = {
            "PATH": os.defpath,
            "HOME": str(self.home),
            "SYFTBOX_CLIENT_CONFIG_PATH": str(self.config),
            "LANG": "C",
        }

    def call(self, module: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Call a command."""
        return subprocess.run(
            [PYTHON, "-m", module, *arguments],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            cwd=self.home,
        )

    def run_script(self, app: str) -> subprocess.CompletedProcess[str]:
        """Start an app as the Python clients do."""
        folder = self.apps / app
        return subprocess.run(
            ["sh", str(folder / "run.sh")],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
        )

    def download(self) -> None:
        """Put an export into Downloads."""
        (self.home / "Downloads" / "NetflixViewingHistory.csv").write_text(EXPORT)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a machine whose client uses `apis/`."""
    return Machine(tmp_path)


def test_from_nothing_to_a_published_week_in_one_workspace(machine: Machine) -> None:
    machine.download()
    installed = machine.call("participant", "install", "--aggregator", ME)
    assert installed.returncode == 0, installed.stderr
    waiting = machine.run_script("netflix_trend_participant")
    assert (waiting.returncode, waiting.stdout.count(f"waiting for study.json of {ME}")) == (0, 1)
    to_send = machine.call("aggregator", "install").stdout
    for step in ("https://syftbox.net", "https://www.netflix.com/viewingactivity", f"install --aggregator {ME}"):
        assert step in to_send
    assert machine.run_script("netflix_trend_aggregator").returncode == 0
    released = machine.run_script("netflix_trend_participant")
    assert "released 20" in released.stdout, released.stderr
    release = machine.box / "datasites" / ME / "api_data" / "netflix_trend_participant" / "netflix_reduced.npy"
    assert len(np.load(release)) == 5
    assert "1 datasites accepted" in machine.run_script("netflix_trend_aggregator").stdout
    status = json.loads(machine.call("aggregator", "status", "--json").stdout)
    assert [entry["datasite"] for entry in status["accepted"]] == [ME]
    assert status["rejected"] == []
    release.write_bytes(b"garbage")
    status = json.loads(machine.call("aggregator", "status", "--json").stdout)
    assert status["rejected"] == [{"datasite": ME, "reason": "not a release file"}]
    mine = json.loads(machine.call("participant", "status", "--json").stdout)
    assert [week["epsilon"] for week in mine["released"]] == [2.0] * 5
    assert mine["epsilon_spent"] == 10


def test_a_preview_before_install_shows_what_would_happen_and_status_what_did(machine: Machine) -> None:
    machine.download()
    machine.call("aggregator", "install")
    machine.run_script("netflix_trend_aggregator")
    shown = machine.call("participant", "preview", "--aggregator", ME)
    assert shown.returncode == 0, shown.stderr
    assert "each over all 6,533 shows of the catalogue" in shown.stdout
    found = json.loads(machine.call("participant", "preview", "--aggregator", ME, "--json").stdout)
    assert (len(found["weeks"]), found["epsilon_now"]) == (5, 10)
    assert not (machine.apps / "netflix_trend_participant").exists()
    nothing = machine.call("participant", "preview")
    assert (nothing.returncode, nothing.stdout) == (ExitCode.SETTINGS, "")
    machine.call("participant", "install", "--aggregator", ME)
    machine.run_script("netflix_trend_participant")
    assert "in all 5 of these weeks, e^10 times" in machine.call("participant", "status").stdout


def test_an_audit_needs_no_workspace_and_ends_in_two_lines(machine: Machine) -> None:
    """A right app fails it by chance once in 100,000 runs."""
    machine.config.unlink()
    done = machine.call("participant", "audit")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2), done.stderr
    assert "promised 2 per show and week" in done.stdout


def test_a_run_that_changes_nothing_says_the_same_without_importing_anything_heavy(machine: Machine) -> None:
    machine.download()
    machine.call("participant", "install", "--aggregator", ME)
    said = {machine.run_script("netflix_trend_participant").stdout for _ in range(3)}
    assert len(said) == 1
    code = "import sys; sys.argv[1:] = ['run']; from participant.__main__ import main\n"
    code += "try: main()\nexcept SystemExit as done: print(done.code, 'click' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([PYTHON, "-c", code], env=machine.environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [said.pop().strip(), "0 False False"]


def test_a_new_study_is_told_in_words_before_it_is_published(machine: Machine) -> None:
    machine.call("aggregator", "install")
    shown = machine.call("aggregator", "study", "new", "--epsilon", "1", "--preview")
    results = machine.box / "datasites" / ME / "public" / "netflix_trend_aggregator"
    assert "by at most 2.8 times; over k weeks of that show by 2.8 to the power k" in shown.stdout
    assert not (results / "study.json").exists()
    published = machine.call("aggregator", "study", "new", "--epsilon", "1")
    assert published.returncode == 0, published.stderr
    assert json.loads((results / "study.json").read_bytes())["epsilon"] == 1.0
    assert "privacy_parameters:\n      epsilon: 1.0" in (results / "deployment.yaml").read_text()
    refused = machine.call("aggregator", "study", "new", "--unit", "week")
    assert (refused.returncode, refused.stdout) == (ExitCode.STUDY, "")
    assert "needs max_shows_per_week" in refused.stderr


def test_install_can_be_repeated_and_keeps_what_the_person_wrote(machine: Machine) -> None:
    machine.call("participant", "install", "--aggregator", ME)
    settings = machine.apps / "netflix_trend_participant" / "settings.toml"
    settings.write_text(settings.read_text().replace("= 52.0", "= 10.0  # enough for me"))
    again = machine.call("participant", "install", "--history", "ann=My Export.csv")
    assert again.returncode == 0, again.stderr
    text = settings.read_text()
    assert "10.0  # enough for me" in text
    assert f'aggregator = "{ME}"' in text
    assert f'history = ["ann={machine.home / "My Export.csv"}"]' in text
    assert machine.call("aggregator", "install").returncode == machine.call("aggregator", "install").returncode == 0


def test_another_coordinator_is_refused_until_withdraw(machine: Machine) -> None:
    machine.call("participant", "install", "--aggregator", ME)
    other = machine.call("participant", "install", "--aggregator", "other@example.org")
    assert (other.returncode, "withdraw" in other.stderr) == (ExitCode.SETTINGS, True)
    assert machine.call("participant", "withdraw").returncode == 0
    assert machine.call("participant", "install", "--aggregator", "other@example.org").returncode == 0


def test_run_sh_uses_the_mode_that_the_client_needs_and_the_interpreter_of_install(tmp_path: Path) -> None:
    for apps, mode in (("apis", "--once"), ("apps", "--watch")):
        machine = Machine(tmp_path / apps, apps)
        machine.call("participant", "install", "--aggregator", ME)
        script = (machine.apps / "netflix_trend_participant" / "run.sh").read_text()
        assert f"run {mode}" in script
        assert PYTHON in script


def at_a_terminal(machine: Machine, module: str, *arguments: str, typed: str = "", **environment: str) -> str:
    """Call a command at a terminal, type something, and return what the person sees."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [PYTHON, "-m", module, *arguments],
        env={**machine.environment, "TERM": "xterm-256color", "COLUMNS": "100", **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=machine.home,
        close_fds=True,
    )
    os.close(theirs)
    os.write(ours, typed.encode())
    seen = b""
    with contextlib.suppress(OSError):  # Linux's way to say that the other end is closed
        while more := os.read(ours, 65536):
            seen += more
    process.wait(timeout=60)
    os.close(ours)
    return seen.decode().replace("\r\n", "\n")


def test_at_a_terminal_install_asks_for_the_coordinator_and_elsewhere_for_nothing(machine: Machine) -> None:
    machine.download()
    silent = machine.call("participant", "install")
    assert (silent.returncode, silent.stdout) == (ExitCode.SETTINGS, "")
    said = at_a_terminal(machine, "participant", "install", typed=f"nobody\n{ME}\n")
    assert said.count("The coordinator's e-mail address") == 2
    assert "installed in" in said
    assert "next: while SyftBox is running it starts the app by itself, every ten seconds" in " ".join(said.split())
    again = at_a_terminal(machine, "participant", "install")
    assert "The coordinator's e-mail address" not in again


def test_colours_and_tables_are_for_terminals_and_no_colour_is_respected(machine: Machine) -> None:
    machine.download()
    machine.call("aggregator", "install")
    machine.run_script("netflix_trend_aggregator")
    machine.call("participant", "install", "--aggregator", ME)
    machine.run_script("netflix_trend_participant")
    for module, arguments in (("participant", ["status"]), ("participant", ["preview"]), ("aggregator", ["status"])):
        piped = machine.call(module, *arguments)
        assert piped.returncode == 0, piped.stderr
        assert piped.stdout
        assert "\x1b" not in piped.stdout
        assert "\u2500" not in piped.stdout
    coloured = at_a_terminal(machine, "participant", "status")
    assert "\x1b[36m" in coloured
    assert "\u2500" in coloured
    plain = at_a_terminal(machine, "participant", "status", NO_COLOR="1")
    assert "\x1b[36m" not in plain
    assert "\u2500" in plain


def test_a_private_report_is_written_printed_and_opened_only_where_asked(machine: Machine) -> None:
    machine.download()
    machine.call("participant", "install", "--aggregator", ME)
    made = machine.call("participant", "report")
    page = machine.box / "private" / "netflix_trend_participant" / "report.html"
    assert (made.returncode, made.stdout) == (0, f"{page.as_uri()}\n"), made.stderr
    assert "have not arrived yet" in made.stderr
    assert page.stat().st_mode & 0o777 == 0o600
    assert not [path for path in (machine.box / "datasites").rglob("*") if "report" in path.name]
    opened = machine.call("participant", "report", "--open", BROWSER="true")
    assert (opened.returncode, opened.stderr) == (made.returncode, made.stderr)
    alone = machine.call("participant", "report", "--open", BROWSER="false")
    assert (alone.returncode, alone.stdout) == (0, made.stdout)
    assert alone.stderr.endswith("no browser is found here: open that address with yours\n")
    page.unlink()
    printed = machine.call("participant", "report", "--text")
    assert "My weeks" in printed.stdout
    assert not page.exists()


def test_both_apps_are_removed_cleanly_and_come_back(machine: Machine) -> None:
    machine.download()
    nothing = machine.call("participant", "uninstall")
    assert "nothing is installed" in nothing.stdout
    machine.call("aggregator", "install")
    machine.run_script("netflix_trend_aggregator")
    machine.call("participant", "install", "--aggregator", ME)
    machine.run_script("netflix_trend_participant")
    gone = machine.call("participant", "uninstall")
    assert gone.returncode == 0, gone.stderr
    assert "ledger.sqlite" in gone.stdout
    gone = machine.call("aggregator", "uninstall")
    assert gone.returncode == 0, gone.stderr
    assert "stays public" in gone.stdout
    assert list(machine.apps.iterdir()) == []
    assert (machine.box / "datasites" / ME / "public" / "netflix_trend_aggregator" / "study.json").exists()
    assert not list((machine.box / "datasites").rglob("*.npy"))
    assert machine.call("participant", "install", "--aggregator", ME).returncode == 0
    assert "nothing new to release; 5 weeks in all" in machine.run_script("netflix_trend_participant").stdout


def test_the_shell_can_complete_commands(machine: Machine) -> None:
    script = machine.call("participant", "completion", "zsh").stdout
    assert "_NETFLIX_TREND_PARTICIPANT_COMPLETE=zsh_complete" in script
    machine.environment |= {
        "_NETFLIX_TREND_PARTICIPANT_COMPLETE": "bash_complete",
        "COMP_WORDS": "netflix-trend-participant re",
        "COMP_CWORD": "1",
    }
    assert machine.call("participant").stdout.split() == ["plain,reduce", "plain,report"]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a machine on which both apps are installed and a study is published."""
    root = tmp_path_factory.mktemp("ready")
    machine = Machine(root)
    machine.download()
    for module, *arguments in (
        ("participant", "install", "--aggregator", ME),
        ("aggregator", "install"),
        ("aggregator", "run"),
    ):
        assert machine.call(module, *arguments).returncode == 0
    return root


@pytest.mark.parametrize(
    ("prepare", "arguments", "code", "says"),
    [
        ("rm $CONFIG", "run", ExitCode.WORKSPACE, "start SyftBox once"),
        ("echo '{' > $CONFIG", "run", ExitCode.WORKSPACE, "mend"),
        ("rm -r $BOX", "run", ExitCode.WORKSPACE, "not there"),
        ("rm $SETTINGS", "run", ExitCode.SETTINGS, "install --aggregator"),
        ("echo 'a = [' > $SETTINGS", "run", ExitCode.SETTINGS, "TOML"),
        ("echo 'max_epsilon = 3' >> $SETTINGS", "run", ExitCode.SETTINGS, "unknown setting 'max_epsilon'"),
        ("sed -i 's/52.0/\"a lot\"/' $SETTINGS", "run", ExitCode.SETTINGS, "max_epsilon_total"),
        ("sed -i 's/= 2.0/= -1/' $SETTINGS", "run", ExitCode.SETTINGS, "max_epsilon_per_week"),
        ("rm $EXPORT", "run", ExitCode.HISTORY, "viewingactivity"),
        (": > $EXPORT", "run", ExitCode.HISTORY, "an empty or unfinished one is left alone"),
        ("head -c 3000 /bin/sh > $EXPORT", "run", ExitCode.HISTORY, "NetflixViewingHistory.csv"),
        ("rm $LEDGER; printf 'Title,Date\\nDark,1/2/21\\n' > $EXPORT", "run", ExitCode.DATE_ORDER, "date_order"),
        ("printf 'Title,Date\\nDark,99/99/99\\n' > $EXPORT", "run", ExitCode.HISTORY, "dates cannot be read"),
        ("echo '{}' > $STUDY", "run", ExitCode.STUDY, "schema"),
        ("echo 'row,show' > $CATALOGUE", "run", ExitCode.STUDY, "catalogue"),
        ("echo broken > $LEDGER", "run", ExitCode.LEDGER, "ledger"),
        (":", "install --aggregator nobody", ExitCode.SETTINGS, "e-mail"),
        (":", "run --often", 2, "--often"),
    ],
)
def test_bad_input_gets_one_clear_line_and_a_named_exit_code(
    ready: Path, tmp_path: Path, prepare: str, arguments: str, code: int, says: str
) -> None:
    shutil.copytree(ready, tmp_path, dirs_exist_ok=True, symlinks=True)
    machine = Machine(tmp_path)
    results = machine.box / "datasites" / ME / "public" / "netflix_trend_aggregator"
    names = {
        "CONFIG": machine.config,
        "BOX": machine.box,
        "SETTINGS": machine.apps / "netflix_trend_participant" / "settings.toml",
        "EXPORT": machine.home / "Downloads" / "NetflixViewingHistory.csv",
        "STUDY": results / "study.json",
        "CATALOGUE": results / "catalogue.csv",
        "LEDGER": machine.box / "private" / "netflix_trend_participant" / "ledger.sqlite",
    }
    paths = {name: str(path) for name, path in names.items()}
    subprocess.run(["sh", "-ec", prepare], env={**os.environ, **paths}, check=True)
    done = machine.call("participant", *arguments.split())
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert "Wujing" not in done.stderr + done.stdout
    if code != 2:
        assert len(done.stderr.strip().splitlines()) == 1


@pytest.fixture
def staying(tmp_path: Path) -> Iterator[tuple[Machine, subprocess.Popen[str]]]:
    """Return a machine whose client uses `apps/`, and its participant app, started as the client does."""
    machine = Machine(tmp_path, "apps")
    machine.download()
    machine.call("participant", "install", "--aggregator", ME)
    script = machine.apps / "netflix_trend_participant" / "run.sh"
    process = subprocess.Popen(
        ["sh", str(script)], env=machine.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    yield machine, process
    process.kill()
    process.wait()
    assert process.stdout
    process.stdout.close()


def test_an_app_that_stays_up_survives_errors_ends_at_sigterm_and_stays_alone(
    staying: tuple[Machine, subprocess.Popen[str]],
) -> None:
    machine, process = staying
    assert process.stdout
    assert "waiting for study.json" in process.stdout.readline()
    second = machine.run_script("netflix_trend_participant")
    assert (second.returncode, "steps aside" in second.stdout) == (0, True)
    settings = machine.apps / "netflix_trend_participant" / "settings.toml"
    good = settings.read_text()
    settings.write_text("broken [")
    assert "TOML" in process.stdout.readline()
    settings.write_text(good)
    assert "waiting" in process.stdout.readline()
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    assert time.monotonic() - started < 3


def test_an_app_that_stays_up_ends_when_it_is_removed(staying: tuple[Machine, subprocess.Popen[str]]) -> None:
    machine, process = staying
    assert process.stdout
    assert "waiting for study.json" in process.stdout.readline()
    assert machine.call("participant", "uninstall").returncode == 0
    assert process.wait(timeout=40) == 0
    assert "the app was removed" in process.stdout.read()
