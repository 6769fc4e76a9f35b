import json
from pathlib import Path

import pytest

from shared.errors import SettingsError, WorkspaceError
from shared.workspace import check_email, config_path, load_workspace, permit


def write_config(tmp_path: Path, **changes: object) -> Path:
    box = tmp_path / "box"
    box.mkdir(exist_ok=True)
    config = {
        "data_dir": str(box),
        "email": "Ann@Example.org",
        "server_url": "http://127.0.0.1:5001/",
        "client_url": "http://127.0.0.1:8080",
        **changes,
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))
    return path


def test_the_workspace_is_the_one_the_config_names_and_its_e_mail_is_lower_case(tmp_path: Path) -> None:
    workspace = load_workspace(write_config(tmp_path))
    assert (workspace.box, workspace.email) == (tmp_path / "box", "ann@example.org")
    assert workspace.server_url == "http://127.0.0.1:5001"


def test_the_config_of_the_go_client_is_read(tmp_path: Path) -> None:
    config = write_config(tmp_path, client_token="t", refresh_token="r")
    assert load_workspace(config).email == "ann@example.org"


@pytest.mark.parametrize("changes", [{"email": None}, {"email": "nobody"}, {"data_dir": "/nowhere/at/all"}])
def test_a_config_that_names_no_workspace_gets_a_clear_line(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(WorkspaceError) as caught:
        load_workspace(write_config(tmp_path, **changes))
    assert "\n" not in str(caught.value)


def test_a_missing_or_broken_config_gets_a_clear_line(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="start SyftBox once"):
        load_workspace(tmp_path / "config.json")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(WorkspaceError, match="mend"):
        load_workspace(tmp_path / "config.json")


def test_the_environment_names_the_config_as_syftbox_sets_it() -> None:
    assert config_path({"SYFTBOX_CLIENT_CONFIG_PATH": "/a/b.json"}) == Path("/a/b.json")
    assert config_path({}) == Path.home() / ".syftbox" / "config.json"


@pytest.mark.parametrize(
    ("folders", "metadata", "apps"),
    [
        (["apis"], None, "apis"),
        (["apps"], None, "apps"),
        (["apis", "apps"], None, "apps"),
        (["apis", "apps"], "0.3.5", "apis"),
        (["apis", "apps"], "0.4.0", "apps"),
    ],
)
def test_apps_go_where_the_client_looks_for_them(
    tmp_path: Path, folders: list[str], metadata: str | None, apps: str
) -> None:
    workspace = load_workspace(write_config(tmp_path))
    for folder in folders:
        (workspace.box / folder).mkdir()
    if metadata:
        (workspace.box / ".metadata.json").write_text(json.dumps({"version": metadata}))
    assert workspace.apps.name == apps
    assert workspace.stays_up == (apps == "apps")


def test_a_datasite_is_found_whatever_the_case_of_its_name(tmp_path: Path) -> None:
    workspace = load_workspace(write_config(tmp_path))
    (workspace.datasites / "Bob@Example.org").mkdir(parents=True)
    assert workspace.datasite("bob@example.org").name == "Bob@Example.org"
    assert workspace.datasite("new@example.org").name == "new@example.org"


@pytest.mark.parametrize("text", ["", "ann", "../ann@example.org", "a@b/../../c", "a b@example.org", 'a"@b', "a@b\nc"])
def test_what_could_lead_elsewhere_is_no_address(text: str) -> None:
    with pytest.raises(SettingsError, match="e-mail"):
        check_email(text)


def test_both_permission_files_say_the_same(tmp_path: Path) -> None:
    permit(tmp_path, pattern="netflix_reduced.npy", readers=["Bob@example.org"])
    assert json.loads((tmp_path / "syftperm.yaml").read_text()) == [
        {"path": "netflix_reduced.npy", "user": "Bob@example.org", "permissions": ["read"]}
    ]
    go = json.loads((tmp_path / "syft.pub.yaml").read_text())
    assert go == {
        "terminal": False,
        "rules": [
            {"pattern": "netflix_reduced.npy", "access": {"admin": [], "write": [], "read": ["bob@example.org"]}},
            {"pattern": "**", "access": {"admin": [], "write": [], "read": []}},
        ],
    }
    permit(tmp_path, pattern="**", readers=["*"])
    assert json.loads((tmp_path / "syftperm.yaml").read_text()) == [
        {"path": "**", "user": "*", "permissions": ["read"]}
    ]
    go = json.loads((tmp_path / "syft.pub.yaml").read_text())
    assert go["rules"] == [{"pattern": "**", "access": {"admin": [], "write": [], "read": ["*"]}}]
