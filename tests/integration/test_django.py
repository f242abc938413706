"""The Django app: every place in which Django keeps settings follows, or names a restart."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from django_project import Project
from dynaconf_k8s_reload._dynaconf import state
from dynaconf_k8s_reload.testing import AtomicWriter

pytest.importorskip("django", reason="Django is not installed")

HOSTS = {"DJANGO_ALLOWED_HOSTS": '["testserver"]'}


@pytest.fixture
def project(volume: AtomicWriter) -> Iterator[Project]:
    """The project, on a mount that holds the hosts, and nothing else."""
    volume.write(HOSTS)
    with Project(volume.directory) as running:
        yield running


def test_allowed_hosts_take_effect_at_the_next_request(
    project: Project, volume: AtomicWriter
) -> None:
    """``django.http``, which holds Django's own object, refuses the old host, serves the new."""
    assert project("type(early).__mro__[1].__module__") == "django.conf"
    assert project.ask("/flags/")[0] == 200
    assert project.ask("/flags/", host="new.example")[0] == 400
    volume.write({"DJANGO_ALLOWED_HOSTS": '["new.example"]'})
    project.eventually("reloader.status().generation", 2)
    assert project.ask("/flags/")[0] == 400
    assert project.ask("/flags/", host="new.example")[0] == 200


def test_flags_come_and_go_while_requests_run(project: Project, volume: AtomicWriter) -> None:
    """A flag that is deleted falls back to Django's default, and no request fails."""
    default = {"DEBUG": False, "APPEND_SLASH": True, "SESSION_COOKIE_NAME": "sessionid"}
    added = {"DEBUG": True, "APPEND_SLASH": False, "SESSION_COOKIE_NAME": "visitor"}
    everywhere = [
        f"[[getattr(each, name) for name in {list(added)}] for each in (settings, early, module)]"
    ]
    project.do("finish = busy('/flags/')")
    for round_ in range(1, 4):
        volume.write(
            {**HOSTS, **{f"DJANGO_{name}": json.dumps(value) for name, value in added.items()}}
        )
        project.eventually("reloader.status().generation", 2 * round_)
        assert json.loads(project.ask("/flags/")[1]) == added
        assert project(everywhere[0]) == [list(added.values())] * 3
        assert project.ask("/flags")[0] == 404
        assert project.ask("/session/")[2] == ["visitor"]
        volume.write(HOSTS)
        project.eventually("reloader.status().generation", 2 * round_ + 1)
        assert json.loads(project.ask("/flags/")[1]) == default
        assert project(everywhere[0]) == [list(default.values())] * 3
        assert project.ask("/flags")[0] == 301
        assert project.ask("/session/")[2] == ["sessionid"]
    statuses = project("finish()")
    assert list(statuses) == ["200"]
    assert statuses["200"] > 0


def test_what_the_mount_had_at_the_start_falls_back_too(volume: AtomicWriter) -> None:
    """To the project's own value, or Django's; what neither knows is gone as Django says it."""
    volume.write(
        {
            **HOSTS,
            "DJANGO_DEBUG": "true",
            "DJANGO_STATIC_URL": "cdn/",
            "DJANGO_GREETING": "of the mount",
            "DJANGO_OWN": "1",
        }
    )
    with Project(volume.directory) as project:
        values = "[getattr(each, 'DEBUG') for each in (settings, early, module)]"
        assert project(values) == [True] * 3
        assert project("early.STATIC_URL") == "/cdn/"
        assert project("[each.OWN for each in (settings, early, module)]") == [1, 1, 1]
        volume.write(HOSTS)
        project.eventually("reloader.status().generation", 2)
        assert project(values) == [False] * 3
        assert project("[early.STATIC_URL, module.GREETING]") == [None, "of the project"]
        assert not project("any(hasattr(each, 'OWN') for each in (settings, early, module))")
        assert not project("any('OWN' in dir(each) for each in (early, module))")
        assert project("all(hasattr(module, name) for name in dir(module))")
        volume.write({**HOSTS, "DJANGO_LATER": "2"})
        project.eventually("[each.get('LATER') for each in [settings]]", [2])
        assert project("[early.LATER, module.LATER, 'LATER' in dir(module)]") == [2, 2, True]


TOLD = """
def told(read):
    try:
        return read()
    except Exception as error:
        return type(error).__name__
"""


@pytest.mark.skipif(state.UP_TO_3_2, reason="dynaconf since 3.3 asks Django")
@pytest.mark.parametrize("keys", [("first", "", "second"), ("", "second", "")])
def test_an_empty_secret_key_is_refused_where_it_is_read(
    volume: AtomicWriter, keys: tuple[str, ...]
) -> None:
    """As in a process that starts with it; a good one that follows is served."""
    holders = ("settings", "early", "module")
    volume.write({**HOSTS, "DJANGO_SECRET_KEY": keys[0]})
    with Project(volume.directory, k8s_watch=False) as project:
        project.do(TOLD)
        for key in keys[1:]:
            volume.write({**HOSTS, "DJANGO_SECRET_KEY": key})
            assert project("reloader.reload().outcome") == "applied"
            for holder in holders:
                seen = project(f"told(lambda: {holder}.SECRET_KEY)")
                assert seen == (key or "ImproperlyConfigured")


def test_mail_goes_to_the_new_host(project: Project, volume: AtomicWriter) -> None:
    """``EMAIL_*`` takes effect at the next connection."""
    assert project.ask("/email/")[1] == "localhost:25"
    volume.write({**HOSTS, "DJANGO_EMAIL_HOST": "mail.example", "DJANGO_EMAIL_PORT": "587"})
    project.eventually("reloader.status().generation", 2)
    assert project.ask("/email/")[1] == "mail.example:587"


def test_trusted_origins_take_effect_at_the_next_request(
    project: Project, volume: AtomicWriter
) -> None:
    """The middleware in the chain takes the new origins and drops the old ones."""

    def post(origin: str) -> object:
        token = "a" * 32
        return project.ask(
            "/post/",
            method="POST",
            HTTP_ORIGIN=origin,
            HTTP_COOKIE=f"csrftoken={token}",
            HTTP_X_CSRFTOKEN=token,
        )[0]

    assert post("https://a.example") == 403
    volume.write({**HOSTS, "DJANGO_CSRF_TRUSTED_ORIGINS": '["https://a.example"]'})
    project.eventually("reloader.status().generation", 2)
    assert post("https://a.example") == 200
    volume.write({**HOSTS, "DJANGO_CSRF_TRUSTED_ORIGINS": '["https://*.b.example"]'})
    project.eventually("reloader.status().generation", 3)
    assert post("https://a.example") == 403
    assert post("https://x.b.example") == 200


def test_an_override_outlasts_a_reload(project: Project, volume: AtomicWriter) -> None:
    """What a test overrides stays for as long, whoever reads it; then the reloaded value shows."""
    everywhere = "[each.EXTRA for each in (settings, early, module)]"
    project.do("override = override_settings(EXTRA='of the test'); override.enable()")
    assert project(everywhere) == ["of the test"] * 3
    volume.write({**HOSTS, "DJANGO_EXTRA": "of the mount"})
    project.eventually("reloader.status().generation", 2)
    assert project(everywhere) == ["of the test"] * 3
    assert project("__import__('dynaconf_k8s_reload').get_reloader(settings) is reloader")
    assert json.loads(project.ask("/-/config")[1])["generation"] == 2
    project.do("override.disable()")
    assert project(everywhere) == ["of the mount"] * 3


def test_an_override_of_a_list_outlasts_a_reload(project: Project, volume: AtomicWriter) -> None:
    """``modify_settings`` works on the value of its moment."""
    project.do(
        "from django.test.utils import modify_settings;"
        "override = modify_settings(ALLOWED_HOSTS={'append': 'more'}); override.enable()"
    )
    volume.write({"DJANGO_ALLOWED_HOSTS": '["new"]'})
    project.eventually("reloader.status().generation", 2)
    assert project.ask("/flags/", host="more")[0] == 200
    project.do("override.disable()")
    assert project.ask("/flags/", host="more")[0] == 400
    assert project.ask("/flags/", host="new")[0] == 200


def test_an_override_on_the_original_object(volume: AtomicWriter) -> None:
    """``django.test``, imported first, overrides Django's own object; the rest follows."""
    volume.write({**HOSTS, "DJANGO_EXTRA": "1"})
    first = "import django.test.utils"
    with Project(volume.directory, first=first) as project:
        project.do("override = override_settings(DEBUG=True); override.enable()")
        project.do("second = override_settings(PORT=1); second.enable()")
        project.do("early.PORT = 2; del early.APPEND_SLASH")
        volume.write({**HOSTS, "DJANGO_EXTRA": "2"})
        project.eventually("[early.DEBUG, early.PORT, early.EXTRA]", [True, 2, 2])
        assert not project("hasattr(early, 'APPEND_SLASH')")
        project.do("second.disable(); override.disable()")
        assert project("[early.DEBUG, hasattr(early, 'PORT')]") == [False, False]
        assert project("early.APPEND_SLASH")


def test_what_code_assigns_is_seen(project: Project, volume: AtomicWriter) -> None:
    """An assignment to Django's object reaches dynaconf's; one to the module stays there."""
    assert project("[module.DYNACONF is settings, module.BELOW]") == [True, "of the module"]
    project.do("early.NEW = 1; module.GREETING = 'of code'; early._private = 3")
    assert project("[settings.NEW, early.NEW, module.GREETING, early._private]") == [
        1,
        1,
        "of code",
        3,
    ]
    volume.write({**HOSTS, "DJANGO_GREETING": "of the mount"})
    project.eventually("reloader.status().generation", 2)
    assert project("[settings.NEW, early.NEW]") == [1, 1]
    assert project("[settings.GREETING, module.GREETING]") == ["of the mount", "of code"]


def test_an_empty_secret_key_is_refused_as_by_django(
    project: Project, volume: AtomicWriter
) -> None:
    """Django's own object raises when the key is read."""
    volume.write({**HOSTS, "DJANGO_SECRET_KEY": ""})
    project.eventually("reloader.status().generation", 2)
    project.do("""
try:
    error = repr(early.SECRET_KEY)
except Exception as raised:
    error = type(raised).__name__
""")
    assert project("error") == "ImproperlyConfigured"


def test_databases_need_a_restart(volume: AtomicWriter) -> None:
    """The settings follow, the connection stays, the status names the key, and so does the check.

    What Django has filled in beside it is no change.
    """
    volume.write({**HOSTS, "DJANGO_DATABASES__default__NAME": ":memory:"})
    with Project(volume.directory) as project:
        project.do("from django.db import connection; connection.ensure_connection()")
        assert project("settings.DATABASES['default']['ATOMIC_REQUESTS']") is False
        volume.write({**HOSTS, "DJANGO_DATABASES__default__NAME": ":memory:", "DJANGO_EXTRA": "1"})
        project.eventually("reloader.status().generation", 2)
        assert project("reloader.status().restart_required") == []
        volume.write({**HOSTS, "DJANGO_DATABASES__default__NAME": "other"})
        project.eventually("reloader.status().generation", 3)
        assert project("reloader.status().restart_required") == ["DATABASES.default.NAME"]
        assert project("settings.DATABASES['default']['NAME']") == "other"
        assert "memory" in project("connection.settings_dict['NAME']")
        status, body, _ = project.ask("/-/config")
        assert status == 200
        assert json.loads(body)["restart_required"] == ["DATABASES.default.NAME"]


def test_the_project_chooses_503_for_a_restart(volume: AtomicWriter) -> None:
    """With ``k8s_restart_503`` the probe turns red for a restart key, its own ones included."""
    volume.write(HOSTS)
    with Project(volume.directory, k8s_restart_503=True, k8s_restart_keys=["POOL"]) as project:
        assert project.ask("/-/config")[0] == 200
        volume.write({**HOSTS, "DJANGO_POOL": "3", "DJANGO_TIME_ZONE": "Europe/Rome"})
        project.eventually("reloader.status().generation", 2)
        status, body, _ = project.ask("/-/config")
        assert (status, sorted(json.loads(body)["restart_required"])) == (
            503,
            ["POOL", "TIME_ZONE"],
        )


def test_a_refused_update_never_turns_the_probe_red(volume: AtomicWriter) -> None:
    """Not even where a restart does; and nothing follows."""
    volume.write(HOSTS)
    with Project(volume.directory, k8s_restart_503=True) as project:
        project.do("reloader.on_validate(lambda candidate, changes: 1 / 0); log = logged")
        volume.write({"DJANGO_ALLOWED_HOSTS": "[]", "DJANGO_DATABASES": "{}"})
        project.eventually("reloader.status().rejected", 1)
        status, body, _ = project.ask("/-/config")
        assert status == 200
        assert json.loads(body)["last_error"].startswith("the check ")


MARK = "sesame"
STARTS = ["", "@int ", "@json {", "@format {", "[", '"', "@jinja {{", "@none "]


@pytest.fixture
def unwatched(volume: AtomicWriter) -> Iterator[Project]:
    """The project, which reloads only when told."""
    volume.write(HOSTS)
    with Project(volume.directory, k8s_watch=False) as running:
        yield running


@given(start=st.sampled_from(STARTS), text=st.text(max_size=20), blob=st.binary(max_size=5))
@example(start="@int ", text="refused", blob=b"\xff")
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_status_shows_no_value(
    unwatched: Project, volume: AtomicWriter, start: str, text: str, blob: bytes
) -> None:
    """Whatever the mount holds, of any kind, applied or refused."""
    value = f"{start}{MARK}{text.encode(errors='ignore').decode()}"
    volume.write(
        {
            **HOSTS,
            **dict.fromkeys(["DJANGO_X", "DJANGO_DATABASES__d__X", "not-a-name"], value),
            "DJANGO_Y": MARK.encode() + blob,
        }
    )
    assert unwatched("reloader.reload().outcome") in ("applied", "rejected", "unchanged")
    status, body, _ = unwatched.ask("/-/config")
    assert status == 200
    assert MARK not in body


def test_the_signal_brings_the_changes(project: Project, volume: AtomicWriter) -> None:
    """``settings_reloaded`` is sent with the reloader and the changes; ``setting_changed`` is not.

    A receiver that fails stops no other, and no value gets into the log.
    """
    project.do("""
from django.core.signals import setting_changed
received, django_received = [], []
def fail(**_): raise ValueError("sesame " + str(settings.EXTRA))
def note(sender, changes, **_): received.append([sender is reloader, sorted(changes)])
def note_django(**named): django_received.append(named["setting"])
settings_reloaded.connect(fail)
settings_reloaded.connect(note)
setting_changed.connect(note_django)
""")
    volume.write({**HOSTS, "DJANGO_EXTRA": "sesame"})
    project.eventually("received", [[True, ["EXTRA"]]])
    assert project("django_received") == []
    project.eventually("any('ValueError' in line for line in logged)")
    assert not project("any('sesame' in line for line in logged)")


def test_a_log_line_of_another_sender_is_left_alone(project: Project) -> None:
    """What Django logs of other signals' receivers keeps its words."""
    project.do("""
from django.dispatch import Signal
other = Signal()
def fail(**_): raise ValueError("its own words")
other.connect(fail)
other.send_robust(sender=None)
""")
    assert project("any('its own words' in line for line in logged)")


def test_setting_changed_is_sent_once_for_each_key(volume: AtomicWriter) -> None:
    """With the whole top-level name, its value, and whether it is there."""
    volume.write({**HOSTS, "DJANGO_GONE": "1"})
    with Project(volume.directory, K8S_SEND_SETTING_CHANGED=True) as project:
        project.do("""
from django.core.signals import setting_changed
received = []
def note(sender, setting, value, enter, **_):
    received.append([setting, value, enter, sender.__name__])
setting_changed.connect(note)
""")
        volume.write({**HOSTS, "DJANGO_TREE__a": "1", "DJANGO_TREE__b": "2"})
        project.eventually("len(received)", 2)
        tree, gone = sorted(project("received"), reverse=True)
        assert tree == ["TREE", {"a": 1, "b": 2}, True, tree[3]]
        assert gone == ["GONE", None, False, tree[3]]
        assert tree[3] in ("Settings", "HookableSettings")


@pytest.mark.parametrize("sends", [True, False])
def test_rest_framework_follows_when_told(volume: AtomicWriter, sends: bool) -> None:
    """``api_settings`` drops what it keeps on ``setting_changed``, and only then."""
    pytest.importorskip("rest_framework", reason="Django REST framework is not installed")

    def content(size: int, rate: str) -> dict[str, str]:
        return {
            **HOSTS,
            "DJANGO_REST_FRAMEWORK__PAGE_SIZE": str(size),
            "DJANGO_REST_FRAMEWORK__DEFAULT_THROTTLE_RATES__user": rate,
        }

    volume.write(content(10, "1/day"))
    apps = ["rest_framework", "django.contrib.auth", "django.contrib.contenttypes"]
    with Project(volume.directory, apps=apps, K8S_SEND_SETTING_CHANGED=sends) as project:
        assert json.loads(project.ask("/page/")[1]) == [10, {"user": "1/day"}]
        project.do("done = []; settings_reloaded.connect(lambda **_: done.append(1), weak=False)")
        volume.write(content(20, "2/day"))
        project.eventually("done", [1])
        if sends:
            new = [20, {"user": "2/day"}]
            project.eventually("json.loads(ask('/page/')[1])", new)
        else:
            assert json.loads(project.ask("/page/")[1]) == [10, {"user": "1/day"}]


def test_apps_may_be_overridden(project: Project, volume: AtomicWriter) -> None:
    """``ready`` runs again then; the signal is still sent once for each reload."""
    project.do("""
received = []
settings_reloaded.connect(lambda changes, **_: received.append(list(changes)), weak=False)
more = [*settings.INSTALLED_APPS, "django.contrib.messages"]
with override_settings(EXTRA=0), override_settings(INSTALLED_APPS=more):
    pass
""")
    volume.write({**HOSTS, "DJANGO_EXTRA": "1"})
    project.eventually("received", [["EXTRA"]])
    volume.write({**HOSTS, "DJANGO_EXTRA": "2"})
    project.eventually("received", [["EXTRA"], ["EXTRA"]])


def test_the_error_page_with_debug_shows_the_settings_of_now(
    project: Project, volume: AtomicWriter
) -> None:
    """Django lists its own object there; a key that is gone is no error."""
    for content in ({"DJANGO_DEBUG": "true", "DJANGO_OWN": "1"}, {"DJANGO_DEBUG": "true"}):
        volume.write({**HOSTS, **content})
        project.eventually("'OWN' in settings", "DJANGO_OWN" in content)
        status, body, _ = project.ask("/fail/", HTTP_ACCEPT="text/html")
        assert status == 500
        assert bool(re.search(r"<td>OWN</td>", body)) == ("DJANGO_OWN" in content)


def test_without_the_loader_the_app_does_nothing(volume: AtomicWriter) -> None:
    """Settings that dynaconf's own loaders load are left as they are."""
    loaders = ["dynaconf.loaders.env_loader"]
    volume.write(HOSTS)
    with Project(volume.directory, loaders=loaders, ALLOWED_HOSTS=["testserver"]) as project:
        assert project.ask("/flags/")[0] == 200
        assert "not loaded by dynaconf-k8s-reload" in project("str(reloader)")


def test_what_django_fills_in_stays(project: Project, volume: AtomicWriter) -> None:
    """Databases that Django has completed in place are the same object after a reload."""
    project.do(
        "from django.db import connections; connections['default'].cursor().execute('select 1')\n"
        "before = settings.DATABASES"
    )
    assert project("before['default']['CONN_MAX_AGE']") == 0
    volume.write({**HOSTS, "DJANGO_EXTRA": "1"})
    project.eventually("reloader.status().generation", 2)
    assert project("settings.DATABASES is before is connections.settings")
    assert project("settings.DATABASES['default']['CONN_MAX_AGE']") == 0


@pytest.mark.parametrize("listed", [True, False])
def test_a_status_page_without_the_app_is_told(volume: AtomicWriter, *, listed: bool) -> None:
    """The log names the app that ``INSTALLED_APPS`` lacks: it is the app that would check."""
    without = {} if listed else {"DJANGO_INSTALLED_APPS": "[]"}
    volume.write({**HOSTS, **without})
    with Project(volume.directory) as project:
        assert [project.ask("/-/config")[0] for _ in range(2)] == [200, 200]
        told = "[line for line in logged if 'is not in INSTALLED_APPS' in line]"
        assert len(project(told)) == (0 if listed else 1)
