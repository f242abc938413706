"""``check``: what an application would refuse, and what a reload of it would lose."""

from __future__ import annotations

import json
import os
from importlib import import_module
from pathlib import Path

import pytest

from command import Done, run, screens
from dynaconf_k8s_reload.cli.check.github import annotation
from dynaconf_k8s_reload.cli.findings import Finding
from dynaconf_k8s_reload.testing import AtomicWriter

MAKE = 'Dynaconf(envvar_prefix="MYAPP", loaders=["dynaconf_k8s_reload.loader"]'
SETTINGS = f"from dynaconf import Dynaconf, Validator\nsettings = {MAKE})\n"
CONFIG_MAP = "kind: ConfigMap\nmetadata: {name: app}\ndata:\n"
CHECK = ("check", "--settings", "examined:settings")


@pytest.fixture(autouse=True)
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory with an application and a manifest."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)  # as of a workflow that runs the tests
    Path("examined.py").write_text(SETTINGS)
    Path("app.yaml").write_text(f'{CONFIG_MAP}  MYAPP_BANNER: s3cret\n  MYAPP_POOL: "0"\n')


def check(*arguments: object) -> Done:
    done = run(*CHECK, *arguments)
    assert "s3cret" not in done.out + done.err
    assert "Traceback" not in done.err
    return done


def test_accepted_content() -> None:
    """What the application takes, and keeps in a reload, is fine."""
    done = check("-f", "app.yaml")
    assert (done.status, done.out) == (0, "/config: 2 keys, 7 bytes\nAccepted.\n")


def test_refused_content() -> None:
    """What a validator refuses is named by key, with the rule and the mount, on every screen."""
    validator = 'validators=[Validator("POOL", gte=1)]'
    Path("examined.py").write_text(SETTINGS.replace(MAKE, f"{MAKE}, {validator}"))
    assert screens("check-refused", *CHECK, "-f", "app.yaml").status == 1
    told = json.loads(check("-f", "app.yaml", "--json").out)
    assert (told["accepted"], told["refused"]) == (False, ["POOL"])
    annotations = check("-f", "app.yaml", "--github").out.splitlines()[-1]
    assert annotations.startswith("::error title=The content is refused,file=app.yaml,line=5::POOL")


@pytest.mark.parametrize(
    ("key", "text", "options", "first"),
    [
        ("MYAPP_X", "@int s3cret", "", "MYAPP_X"),
        ("MYAPP_X", "@json {s3cret", "", "MYAPP_X"),
        ("MYAPP_X", "s3cret", 'validators=[Validator("X", cast=int)]', "X"),
        ("MYAPP_X", "s3cret", 'validators=[Validator("X", condition=callable)]', "X"),
        ("MYAPP_X", "0", 'validators=[Validator("X", gte=1) & Validator("KEY_1", gte=0)]', "X"),
        ("MYAPP_DB__X", "0", 'validators=[Validator("DB.X", gte=1)]', "DB.X"),
        ("MYAPP_X", "@format {this.NO}", 'validators=[Validator("X", must_exist=True)]', "X"),
        ("app.toml", "a = = s3cret", 'settings_files=["/config/app.toml"]', "app.toml"),
        ("app.yaml", "a: [s3cret", 'settings_files=["/config/app.yaml"]', "app.yaml"),
        ("app.json", "{s3cret", 'settings_files=["/config/app.json"]', "app.json"),
        (
            "app.py",
            "raise ValueError('s3' + 'cret')",
            'settings_files=["/config/app.py"]',
            "app.py",
        ),
    ],
)
def test_the_culprit_comes_first(key: str, text: str, options: str, first: str) -> None:
    """However content is refused, one bad key among 50 is named first, and no value is."""
    data = {f"MYAPP_KEY_{n}": str(n) for n in range(50)} | {key: text}
    manifest = {"kind": "ConfigMap", "metadata": {"name": "app"}, "data": data}
    Path("app.json").write_text(json.dumps(manifest))
    Path("examined.py").write_text(SETTINGS.replace(MAKE, f"{MAKE}, {options}"))
    done = check("-f", "app.json", "--json")
    assert done.status == 1
    told = json.loads(done.out)
    assert told["refused"] == [first]
    found = {each["name"]: each for each in told["findings"]}
    assert found["content-refused"]["keys"] == [first]
    assert found["content-refused"]["detail"].startswith(f"{first} ")
    assert "KEY_" not in found["content-refused"]["detail"]


def test_what_code_sets_after_loading() -> None:
    """Settings that code assembles after construction are named, on every screen."""
    Path("examined.py").write_text(
        f'{SETTINGS}settings.load_file("{Path.cwd()}/more.toml")\n'
        'settings.set("DERIVED", f"{settings.BANNER}!", loader_identifier="derived")\n'
        'settings.update({"NESTED": {"A": 1}}, loader_identifier="more")\n'
    )
    Path("more.toml").write_text("FROM_FILE = 1\n")
    done = check("-f", "app.yaml", "--ignore", "lost-by-reload")
    assert done.status == 0
    assert "3 settings set by code after loading: DERIVED, FROM_FILE, NESTED.A." in done.out
    screens("check-assembled", *CHECK, "-f", "app.yaml", "--ignore", "lost-by-reload")


def test_what_a_reload_would_lose_or_change() -> None:
    """A rehearsal compares a reload of the same content with the start, whatever is at fault."""
    Path("examined.py").write_text(
        "import itertools\nfrom dynaconf import Dynaconf\ncounter = itertools.count()\n"
        "def hook(settings):\n"
        "    n = next(counter)\n"
        "    return {'ONCE': 1, 'COUNT': n} if n == 0 else {'COUNT': n}\n"
        f"settings = {MAKE}, post_hooks=[hook])\n"
    )
    done = check("-f", "app.yaml", "--json")
    found = {each["name"]: each["keys"] for each in json.loads(done.out)["findings"]}
    assert found == {"lost-by-reload": ["ONCE"], "changed-by-reload": ["COUNT"]}
    assert done.status == 1
    assert "Accepted, with errors.\n\nERROR    Settings that" in check("-f", "app.yaml").out


@pytest.mark.parametrize(
    "rules",
    [
        "include=('MYAPP_P*',)",
        "include=('MYAPP_[P]*',)",
        "include=('MYAPP_POOL', '[!A-Z]*')",
        "include=('MYAPP_?OOL',), exclude=('K8S_*',)",
        "exclude=('[!M]*',)",
    ],
)
def test_a_rehearsal_whatever_keys_the_mount_takes(rules: str) -> None:
    """A reload is rehearsed whatever keys a mount takes, and changes none of them."""
    Path("examined.py").write_text(
        "import itertools\nfrom dynaconf import Dynaconf, Validator\n"
        "from dynaconf_k8s_reload import Mount\ncounter = itertools.count()\n"
        f"settings = {MAKE}, k8s_mounts=[Mount('/config', {rules})],\n"
        "    validators=[Validator('POOL', is_type_of=int)],\n"
        "    post_hooks=[lambda settings: {'COUNT': next(counter)}])\n"
    )
    findings = json.loads(check("-f", "app.yaml", "--json").out)["findings"]
    assert [(found["name"], found["keys"]) for found in findings] == [
        ("changed-by-reload", ["COUNT"])
    ]


def test_a_mount_that_is_nowhere(tmp_path: Path) -> None:
    """Without content for its mount an application starts with none, and nothing is reloaded."""
    absent = tmp_path / "absent"
    made = SETTINGS.replace(MAKE, f"{MAKE}, k8s_mounts=['{absent}']")
    Path("examined.py").write_text(made)
    assert check().status == 0
    assert not absent.exists()


def test_a_wrong_option() -> None:
    """An option that does not exist is told as a start tells it."""
    Path("examined.py").write_text(SETTINGS.replace(MAKE, f"{MAKE}, k8s_mount='/config'"))
    done = check("-f", "app.yaml")
    assert done.status == 1
    assert "The settings cannot be loaded" in done.out
    assert "k8s_mount is not an option of dynaconf-k8s-reload" in done.out
    assert "Write k8s_mounts" in done.out


def test_annotations_of_several_manifests(tmp_path: Path) -> None:
    """An annotation has the manifest that holds the key, and none where none does."""
    files = [str(tmp_path / name) for name in ("one.yaml", "two.yaml")]
    for file, key in zip(files, ("ONE", "TWO"), strict=True):
        Path(file).write_text(f"data:\n  {key}: x\n")
    finding = Finding("content-refused", "error", "Refused", "It is.", "Correct it.", ("TWO",))
    assert annotation(finding, files).startswith(
        "::error title=Refused,file=two.yaml,line=2::It is."
    )
    assert annotation(finding, files[:1]).startswith("::error title=Refused::It is.")


@pytest.mark.parametrize(
    ("workspace", "run_in", "named", "expected"),
    [
        (".", "deploy", "app.yaml", "deploy/app.yaml"),
        (".", "deploy", "{here}/deploy/app.yaml", "deploy/app.yaml"),
        (None, ".", "./deploy/app.yaml", "deploy/app.yaml"),
        (None, "deploy", "app.yaml", "app.yaml"),
        ("elsewhere", ".", "deploy/app.yaml", "deploy/app.yaml"),
    ],
)
def test_an_annotation_has_its_path_from_the_root_of_the_repository(
    workspace: str | None,
    run_in: str,
    named: str,
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """GitHub looks for a file from there; one that is elsewhere stays as it was named."""
    manifest = tmp_path / "deploy" / "app.yaml"
    manifest.parent.mkdir()
    manifest.write_text("data:\n  ONE: x\n")
    monkeypatch.chdir(run_in)
    if workspace is not None:
        monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path / workspace))
    finding = Finding("content-refused", "error", "Refused", "It is.", "Correct it.", ("ONE",))
    told = annotation(finding, [named.format(here=tmp_path)])
    assert told.startswith(f"::error title=Refused,file={expected},line=2::It is.")


def test_one_annotation_for_one_value() -> None:
    """What is named as the culprit is not named again among the values that cannot be parsed."""
    Path("app.yaml").write_text(f'{CONFIG_MAP}  MYAPP_A: "@int s3cret"\n')
    told = check("-f", "app.yaml", "--github").out
    assert told.count("::error") == 1
    assert told.endswith(
        "line=4::MYAPP_A of /config: @int cannot parse it.%0ACorrect it before it is applied.\n"
    )
    Path("app.yaml").write_text(f'{CONFIG_MAP}  MYAPP_A: "@int s3cret"\n  MYAPP_B: "@int s3cret"\n')
    told = json.loads(check("-f", "app.yaml", "--json").out)
    assert [(each["name"], each["keys"]) for each in told["findings"]] == [
        ("content-refused", ["MYAPP_A"]),
        ("value-fails", ["MYAPP_B"]),
    ]


def test_what_only_a_reload_refuses() -> None:
    """A hook that works only once is found before the cluster finds it."""
    Path("examined.py").write_text(
        "from dynaconf import Dynaconf\ncalls = []\n"
        "def hook(settings):\n"
        "    calls.append(1)\n"
        "    if len(calls) > 1:\n        raise ValueError('s3cret')\n"
        "    return {}\n"
        f"settings = {MAKE}, post_hooks=[hook])\n"
    )
    done = check("-f", "app.yaml")
    assert done.status == 1
    assert done.out.startswith(
        "/config: 2 keys, 7 bytes\nRefused by a reload.\n\nERROR    A reload re"
    )
    assert "hook" in done.out
    told = json.loads(check("-f", "app.yaml", "--json").out)
    assert (told["accepted"], told["refused"]) == (False, [])
    done = check("-f", "app.yaml", "--ignore", "refused-by-reload")
    assert (done.status, done.out) == (0, "/config: 2 keys, 7 bytes\nAccepted.\n")


def test_several_mounts_and_a_settings_file() -> None:
    """A Secret stands for the secret mount, a ConfigMap for the other, with the files in it."""
    Path("examined.py").write_text(
        "from pathlib import Path\nfrom dynaconf import Dynaconf\n"
        "from dynaconf_k8s_reload import Mount\n"
        f'settings = {MAKE}, settings_files=["/etc/app.toml", Path("/mnt/config/app.toml")],\n'
        '    k8s_mounts=["/mnt/config", Mount("/mnt/secret", secret=True, required=True)])\n'
        'assert settings.PASSWORD.startswith("@int")\nassert settings.FROM_TOML == 3\n'
    )
    manifest = Path("app.yaml")
    manifest.write_text(
        f"{CONFIG_MAP}  app.toml: FROM_TOML = 3\n---\nkind: Secret\nmetadata: {{name: s}}\n"
        'stringData: {MYAPP_PASSWORD: "@int s3cret"}\n'
    )
    done = check("-f", manifest)
    assert done.status == 0, done
    assert done.out.startswith("/mnt/config: 1 key, 13 bytes\n/mnt/secret: 1 key, ")
    manifest.write_text(manifest.read_text().replace("= 3", "= [s3cret"))
    done = check("-f", manifest)
    assert done.status == 1
    assert (
        "ERROR    The content is refused (content-refused)\n         app.toml of /mnt/co"
        in done.out
    )


def test_directories(tmp_path: Path) -> None:
    """Directories stand for the mounts in order, one that is a mount for itself; nothing is
    written into them, and what is left over is told."""
    mounts = [tmp_path / name for name in ("one", "two")]
    for mount in mounts:
        AtomicWriter(mount).write({f"MYAPP_{mount.name}": "1"})
    listed = json.dumps([str(mounts[1]), "/mnt/other"])
    Path("examined.py").write_text(
        SETTINGS.replace(MAKE, f"{MAKE}, k8s_mounts={listed}") + "settings.one, settings.two\n"
    )
    done = check(*mounts)
    assert done.status == 0, done
    assert done.out.startswith(f"{mounts[1]}: 1 key, 1 byte\n/mnt/other: 1 key, 1 byte\n")
    assert AtomicWriter(mounts[0]).payload == {"MYAPP_one": b"1"}
    (tmp_path / "three").mkdir()
    done = check(*mounts, tmp_path / "three")
    assert (
        "Not all of it is read.\n\nERROR    The application does not read a directory" in done.out
    )
    assert f"{tmp_path / 'three'}: it has no further mount" in done.out
    done = run("check", "--settings", "examined:settings", tmp_path / "absent")
    assert (done.status, done.err) == (2, f"Error: absent: {tmp_path / 'absent'}\n")


@pytest.mark.parametrize("name", ["MYAPP_a b", "\x1b[31mred", "sub/\n", "x" * 255])
def test_a_directory_with_a_name_that_no_config_map_has(name: str, tmp_path: Path) -> None:
    """It cannot stand for a volume: the name is told, escaped, and nothing is loaded."""
    (tmp_path / "plain" / "sub").mkdir(parents=True)
    (tmp_path / "plain" / name).write_text("s3cret")
    done = check(tmp_path / "plain")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"Error: mount {tmp_path}/plain: {name!r} cannot be a key: ")


@pytest.mark.parametrize(
    ("module", "status", "told"),
    [
        (
            "from dynaconf import Dynaconf\nsettings = Dynaconf()\n",
            1,
            "Not read.\n\nERROR    The loader",
        ),
        ("raise RuntimeError('s3cret')\n", 1, "RuntimeError at "),
        ("import no_such.inner\n", 1, "There is no module no_such, which "),
        ("import no_such\n", 1, "examined.py:1 imports.\n         Install it beside this command."),
        ("__import__('s3c' + 'ret')\n", 1, "ModuleNotFoundError at "),
        ("import os\nos._exit(3)\n", 2, "loading examined:settings ended its process, with status"),
        ("x = 1\n", 2, "examined has no settings; write package.module:settings"),
        (f"{SETTINGS}print('s3c' + 'ret')\nassert settings.POOL == 0\n", 0, "Accepted."),
        (f"import time\n{SETTINGS}time.sleep(60)\n", 0, "The module never ends"),
    ],
)
def test_applications_of_every_kind(module: str, status: int, told: str) -> None:
    """What cannot be loaded is told, or that it cannot run; and nothing that a module prints."""
    Path("examined.py").write_text(module)
    done = check("-f", "app.yaml")
    assert done.status == status, done
    assert told in done.out + done.err
    assert "s3cret" not in done.out + done.err


@pytest.mark.parametrize(
    ("arguments", "loader", "title"),
    [
        ((), "dynaconf_k8s_reload.loader", "Refused.\n\nERROR    The directory is absent"),
        (("-f", "app.yaml"), "dynaconf.loaders.env_loader", "Not read.\n\nERROR    The loader is"),
    ],
)
def test_what_is_refused_for_want_of_a_mount_or_the_loader(
    arguments: tuple[str, ...], loader: str, title: str
) -> None:
    """That comes first: nothing is wrong with the content."""
    Path("examined.py").write_text(
        "from dynaconf import Dynaconf, Validator\n"
        f"settings = Dynaconf(loaders=['{loader}'], k8s_mounts=['/no/where'],\n"
        "    validators=[Validator('POOL', must_exist=True)])\n"
    )
    done = check(*arguments)
    assert (done.status, title in done.out) == (1, True), done
    assert "POOL" in done.out.partition(title)[2]


@pytest.mark.parametrize("validators", ["", ", validators=[Validator('POOL', must_exist=True)]"])
def test_an_application_without_a_mount(validators: str) -> None:
    """Without content, and without a mount here, there is nothing that could be followed."""
    if os.path.lexists("/config"):
        pytest.skip("this machine has a /config")
    Path("examined.py").write_text(SETTINGS.replace(MAKE, MAKE + validators))
    done = check()
    assert done.status == 1
    assert "Not read.\n\nERROR    There is no mount to follow" in done.out


def test_a_manifest_that_kubernetes_refuses() -> None:
    """What is wrong with the manifest is told in Kubernetes' words, and nothing is loaded."""
    Path("app.yaml").write_text(f"{CONFIG_MAP}  MYAPP_POOL: 5\n")
    done = check("-f", "app.yaml")
    assert done.status == 2
    assert "cannot unmarshal number" in done.err


def test_a_django_project() -> None:
    """Of a Django project no default counts as set by code, and nothing that its hook returns:
    all settings, or an object of its own; an assignment of its own does."""
    pytest.importorskip("django")
    Path("project.py").write_text(
        "from dynaconf import DjangoDynaconf, Dynaconf\n"
        'SECRET_KEY = "x"\nINSTALLED_APPS = ["dynaconf_k8s_reload.django"]\n'
        'STATIC_URL = "static/"\nMAILERS = {"default": {"BACKEND": "mails"}}\n'
        f"def hook(settings):\n    own = {MAKE})\n"
        "    return {**settings.as_dict(), 'OWN': own}\n"
        "settings = DjangoDynaconf(__name__, envvar_prefix='MYAPP', post_hooks=[hook],\n"
        "    loaders=['dynaconf_k8s_reload.loader'])\n"
        "settings.set('BY_CODE', 1)\n"
    )
    done = run(
        "check", "--settings", "django.conf:settings", "-f", "app.yaml", "--json",
        DJANGO_SETTINGS_MODULE="project",
    )  # fmt: skip
    told = json.loads(done.out)
    assert told["accepted"]
    (found,) = told["findings"]
    assert (found["name"], found["keys"]) == ("set-by-code", ["BY_CODE"])


def test_a_typed_class() -> None:
    """What `dynaconf.typed` itself puts beside the settings is neither code's nor lost."""
    pytest.importorskip("dynaconf.typed", reason="dynaconf since 3.3")
    Path("examined.py").write_text(
        "from dynaconf.typed import Dynaconf, Options\n"
        "class Settings(Dynaconf):\n"
        "    dynaconf_options = Options(envvar_prefix='MYAPP')\n    pool: int\n"
        "settings = Settings(loaders=['dynaconf_k8s_reload.loader'])\n"
    )
    done = check("-f", "app.yaml")
    assert (done.status, done.out) == (0, "/config: 2 keys, 7 bytes\nAccepted.\n")


@pytest.mark.parametrize("name", ["shop", "shop:app", "shop:app.config"])
def test_a_flask_app(name: str) -> None:
    """A Flask app, and its configuration, stand for its settings."""
    pytest.importorskip("flask")
    Path("shop.py").write_text(
        "from dynaconf import FlaskDynaconf\nfrom flask import Flask\n"
        "from dynaconf_k8s_reload.flask import K8sReload\napp = Flask(__name__)\n"
        "FlaskDynaconf(app, envvar_prefix='MYAPP', loaders=['dynaconf_k8s_reload.loader'])\n"
        "K8sReload(app)\n"
    )
    done = run("check", "--settings", name, "-f", "app.yaml")
    assert (done.status, done.out) == (0, "/config: 2 keys, 7 bytes\nAccepted.\n")


def test_settings_inside_settings() -> None:
    """An object of a hook's own stands on the same mount; made anew alike, it is no change."""
    Path("examined.py").write_text(
        "from dynaconf import Dynaconf\n"
        f"def hook(settings):\n    own = {MAKE})\n"
        "    assert own.POOL == 0\n    return {'OWN': own}\n"
        f"settings = {MAKE}, post_hooks=[hook])\n"
    )
    done = check("-f", "app.yaml")
    assert (done.status, done.out) == (0, "/config: 2 keys, 7 bytes\nAccepted.\n")


def test_it_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """An application that never comes to an end is ended."""
    command = import_module("dynaconf_k8s_reload.cli.check.command")
    monkeypatch.setattr(command, "TIMEOUT", 2.0)
    Path("examined.py").write_text("while True:\n    try:\n        pass\n    except: pass\n")
    done = check("-f", "app.yaml")
    assert done.status == 2
    assert "was not loaded and reloaded within 2 s" in done.err


def test_content_that_cannot_be_copied(tmp_path: Path) -> None:
    """A directory with a file that no ConfigMap could hold is told, and nothing is loaded."""
    (tmp_path / "large").mkdir()
    (tmp_path / "large" / "KEY").write_bytes(bytes(1024 * 1024 + 1))
    done = run("check", "--settings", "examined:settings", tmp_path / "large")
    assert done.status == 2
    assert "KEY is larger than 1 MiB" in done.err


def test_names_that_name_nothing() -> None:
    """A name without a module, or without what comes after its colon, cannot be looked for."""
    for name in (":settings", "examined:"):
        done = run("check", "--settings", name, "-f", "app.yaml")
        assert done.status == 2
        assert f"--settings {name}: write package.module:settings" in done.err
