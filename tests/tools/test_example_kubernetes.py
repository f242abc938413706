"""examples/kubernetes: Kubernetes takes the manifests, and their container does what the page says.

The container is run as its manifest says, with ``apply`` in the kubelet's place.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import kubernetes_validate  # type: ignore[import-untyped] # reason: it ships no types
import pytest
import yaml
from kubernetes_validate.utils import all_versions  # type: ignore[import-untyped] # reason: as above

import dynaconf_k8s_reload
from dynaconf_k8s_reload._source.snapshot import revision_of
from support import eventually

ROOT = Path(__file__).parents[2]
HERE = ROOT / "examples" / "kubernetes"
FLASK = ROOT / "examples" / "flask"
MANIFESTS = ("configmap", "deployment", "pod", "service")
STATUS = "/-/config"
APPLY = (sys.executable, "-m", "dynaconf_k8s_reload", "apply", "-f")


def manifest(name: str) -> Any:
    return yaml.safe_load((HERE / f"{name}.yaml").read_text())


CONFIGMAP = manifest("configmap")
POD = manifest("pod")["spec"]
TEMPLATE = manifest("deployment")["spec"]["template"]["spec"]
DOCKERFILE = re.findall(r"^([A-Z]+) (.+)$", (HERE / "Dockerfile").read_text(), re.MULTILINE)
README = (HERE / "README.md").read_text()


def container(spec: Any) -> Any:
    (only,) = spec["containers"]
    return only


class Step(NamedTuple):
    """A command that the page shows, and the output under it."""

    command: str
    output: str


def shown_steps() -> list[Step]:
    blocks = "".join(re.findall(r"```console\n(.*?)```", README, re.DOTALL))
    steps = re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", blocks, re.MULTILINE)
    return [Step(*step) for step in steps]


class Kubelet:
    """What the cluster does for a pod: it holds the ConfigMap and keeps the volume up to date."""

    def __init__(self, directory: Path) -> None:
        self.manifest = directory / "configmap.yaml"
        self.volume = directory / "config"
        self.manifest.write_text((HERE / "configmap.yaml").read_text())
        self.package = str(Path(dynaconf_k8s_reload.__file__).parents[1])
        self.sync()

    def edit(self, key: str, value: str | None) -> None:
        """Change or delete a line of the manifest, as in an editor."""
        line = "" if value is None else f"  {key}: {value}\n"
        text = self.manifest.read_text()
        edited, edits = re.subn(rf"^  {key}: .*\n", line, text, flags=re.MULTILINE)
        assert edits == 1
        self.manifest.write_text(edited)
        self.sync()

    def sync(self) -> None:
        subprocess.run(
            [*APPLY, self.manifest, self.volume],
            env={**os.environ, "PYTHONPATH": self.package},
            check=True,
            timeout=60,
        )

    def variables(self, spec: Any) -> dict[str, str]:
        """Make the variables of a container, ``env`` over ``envFrom``."""
        made: dict[str, str] = {}
        for source in container(spec)["envFrom"]:
            assert source == {"configMapRef": {"name": CONFIGMAP["metadata"]["name"]}}
            made.update(yaml.safe_load(self.manifest.read_text())["data"])
        return made | {each["name"]: each["value"] for each in container(spec).get("env", ())}


class Running:
    """A container that runs."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log

    def get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def answers(self, path: str, status: int, text: str = "") -> None:
        """Wait until an answer has this status and text in it."""
        answer = (0, "")

        def right() -> bool:
            nonlocal answer
            assert self.process.poll() is None, self.log.read_text()
            try:
                answer = self.get(path)
            except (OSError, http.client.HTTPException) as error:  # its worker is being replaced
                answer = (0, repr(error))
            return answer[0] == status and text in answer[1]

        eventually(right, 60, else_show=lambda: (answer, self.log.read_text()))

    @property
    def workers(self) -> list[int]:
        pid = self.process.pid
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def started(spec: Any, kubelet: Kubelet) -> Iterator[Running]:
    """Run a pod's container on a port of its own, and end it as Kubernetes does."""
    log = kubelet.volume.with_name("log")
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("w") as output:
        arguments = container(spec)["args"]
        bound = [a.replace("0.0.0.0:8080", f"fd://{listener.fileno()}") for a in arguments]
        assert bound != arguments
        process = subprocess.Popen(
            [sys.executable, "-m", *json.loads(dict(DOCKERFILE)["ENTRYPOINT"]), *bound],
            cwd=FLASK,
            env={
                **os.environ,
                **kubelet.variables(spec),
                "CONFIG_DIR": str(kubelet.volume),
                "PYTHONPATH": kubelet.package,
            },
            pass_fds=[listener.fileno()],
            stdout=output,
            stderr=output,
        )
        try:
            running = Running(process, listener.getsockname()[1], log)
            running.answers(STATUS, 200)
            yield running
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0, log.read_text()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(30)


@pytest.fixture
def kubelet(tmp_path: Path) -> Kubelet:
    """A kubelet that has just mounted the ConfigMap of the example."""
    return Kubelet(tmp_path)


@pytest.mark.parametrize("version", [all_versions()[0], all_versions()[-1]])
@pytest.mark.parametrize("name", MANIFESTS)
def test_kubernetes_takes_the_manifests(name: str, version: str) -> None:
    """Each is valid by the schemas that Kubernetes publishes, without a field it does not know."""
    kubernetes_validate.validate(manifest(name), version, strict=True)


def test_all_manifests_are_checked() -> None:
    """None is left out, and a wrong one would be found."""
    assert {file.stem for file in HERE.glob("*.yaml")} == {*MANIFESTS, "kustomization"}
    wrong = manifest("pod")
    container(wrong["spec"])["envfrom"] = []
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, all_versions()[-1], strict=True)


@pytest.mark.parametrize("spec", [POD, TEMPLATE], ids=["pod", "deployment"])
def test_the_config_map_is_mounted_where_the_application_looks(spec: Any) -> None:
    """The volume is the ConfigMap of envFrom, as a directory at the loader's default path."""
    (volume,) = spec["volumes"]
    (mount,) = container(spec)["volumeMounts"]
    assert volume["configMap"] == {"name": CONFIGMAP["metadata"]["name"]}
    assert mount == {"name": volume["name"], "mountPath": "/config", "readOnly": True}


def test_the_deployment_runs_the_container_of_the_pod() -> None:
    """The two differ in what restarts a container, and in nothing else."""
    restarting = {"env", "livenessProbe", "startupProbe"}

    def common(spec: Any) -> Any:
        kept = {key: value for key, value in container(spec).items() if key not in restarting}
        return {**spec, "containers": [kept]}

    assert common(TEMPLATE) == common(POD)
    live = {"path": f"{STATUS}/live", "port": "http"}
    ready = {"path": f"{STATUS}/ready", "port": "http"}
    assert container(TEMPLATE)["livenessProbe"]["httpGet"] == live
    assert container(TEMPLATE)["startupProbe"]["httpGet"] == ready
    assert container(TEMPLATE)["readinessProbe"]["httpGet"] == ready
    assert not restarting & container(POD).keys()


def test_the_service_leads_to_the_container() -> None:
    """It selects the pods of both manifests, and its port is the one that the server binds."""
    spec = manifest("service")["spec"]
    (port,) = spec["ports"]
    for labels in (
        manifest("pod")["metadata"]["labels"],
        manifest("deployment")["spec"]["template"]["metadata"]["labels"],
        manifest("deployment")["spec"]["selector"]["matchLabels"],
    ):
        assert labels == spec["selector"]
    (exposed,) = container(POD)["ports"]
    assert exposed == {"name": port["targetPort"], "containerPort": port["port"]}
    assert f"--bind=0.0.0.0:{port['port']}" in container(POD)["args"]


def test_the_page_tells_the_story(kubelet: Kubelet) -> None:
    """Its requests are answered as it shows, before and after its edit, by one process."""
    done = []
    with started(POD, kubelet) as running:
        (worker,) = running.workers
        for command, output in shown_steps():
            if command.startswith("curl "):
                url = urlsplit(shlex.split(command)[1])
                assert url.netloc == f"{manifest('service')['metadata']['name']}:8080"
                running.answers(f"{url.path}?{url.query}", 200, output.strip())
                done.append(f"{command} {output}")
            elif edit := re.fullmatch(r"kubectl edit cm env-vars +# (\w+): (\w+)", command):
                kubelet.edit(edit[1], edit[2])
                done.append("edit")
        assert running.workers == [worker]
    assert done == [
        "curl 'http://env-svc:8080/getEnvValue?var=KEY1' VAL1\n",
        "edit",
        "curl 'http://env-svc:8080/getEnvValue?var=KEY1' NEW_VAL1\n",
        "curl 'http://env-svc:8080/settings/KEY1' NEW_VAL1\n",
    ]


def test_a_new_worker_starts_with_what_the_others_have(kubelet: Kubelet) -> None:
    """A worker that takes a dead one's place has the edited variable, and not the deleted one."""
    with started(POD, kubelet) as running:
        kubelet.edit("KEY1", "NEW_VAL1")
        kubelet.edit("KEY2", None)
        running.answers("/getEnvValue?var=KEY2", 404)
        (worker,) = running.workers
        os.kill(worker, signal.SIGKILL)
        eventually(lambda: worker not in running.workers, 60)
        running.answers("/getEnvValue?var=KEY1", 200, "NEW_VAL1")
        running.answers("/getEnvValue?var=KEY2", 404)
        assert running.workers
        assert worker not in running.workers


def test_the_liveness_asks_for_a_restart_only_where_one_is_needed(kubelet: Kubelet) -> None:
    """An edit of KEY1 leaves the status 200, and one of KEY2 makes it 503 and name the key."""
    with started(TEMPLATE, kubelet) as running:
        kubelet.edit("KEY1", "NEW_VAL1")
        running.answers("/settings/KEY1", 200, "NEW_VAL1")
        running.answers(STATUS, 200, '"restart_required":[]')
        kubelet.edit("KEY2", "NEW_VAL2")
        running.answers(STATUS, 503, '"restart_required":["KEY2"]')


def test_the_kustomization_makes_the_same_config_map() -> None:
    """Its files are there, its ConfigMap has the same name and content, and no hash."""
    customized = manifest("kustomization")
    assert all((HERE / name).is_file() for name in customized["resources"])
    (generated,) = customized["configMapGenerator"]
    lines = [line for name in generated["envs"] for line in (HERE / name).read_text().split()]
    assert dict(line.split("=") for line in lines) == CONFIGMAP["data"]
    assert generated["name"] == CONFIGMAP["metadata"]["name"]
    assert customized["generatorOptions"] == {"disableNameSuffixHash": True}


def test_the_image_is_made_of_what_there_is() -> None:
    """It installs this checkout with extras that it has, copies the example, and is not root's."""
    said = dict(DOCKERFILE)
    command = shlex.split(said["RUN"])
    required = [word for word in command[command.index("install") + 1 :] if word[0] != "-"]
    source, extras = re.fullmatch(r"(/[\w/]+)\[(.+)\]", required.pop(0)).groups()  # type: ignore[union-attr] # reason: None fails the test
    copied = [rest.split() for word, rest in DOCKERFILE if word == "COPY"]
    context = next(HERE / c.split()[-1] for c, _ in shown_steps() if c.startswith("docker build"))
    assert all((context / name).exists() for *names, _ in copied for name in names)
    assert [names for *names, target in copied if not target.startswith(source)] == [
        ["examples/flask/app.py"]
    ]
    project = (ROOT / "pyproject.toml").read_text()
    assert all(f"\n{extra} = [" in project for extra in extras.split(","))
    assert required == ["gunicorn"]
    assert '"gunicorn>=' in project
    version = re.fullmatch(r"python:(3\.\d+)-slim", said["FROM"])
    assert version
    assert f'"Programming Language :: Python :: {version[1]}"' in project
    assert int(said["USER"]) == POD["securityContext"]["runAsUser"] > 0


def test_the_page_names_what_there_is() -> None:
    """Each file of its commands and each page that it links to is there."""
    named = re.findall(r"\]\((?!https?:)([^)]+)\)", README)
    for command, _ in shown_steps():
        named += re.findall(r" -[fk] (\S+)", command)
        if command.startswith("docker build"):
            named.append(command.split()[-1])
    assert len(named) >= 10
    assert [name for name in named if not (HERE / name).exists()] == []


def test_the_tutorial_shows_what_a_process_serves() -> None:
    """Its status has the revision that the example's ConfigMap has after the one edit."""
    page = (ROOT / "docs" / "tutorial-cluster.md").read_text()
    (edit,) = re.findall(r"--patch '(.+)'", page)
    texts = CONFIGMAP["data"] | json.loads(edit)["data"]
    served = revision_of({key: text.encode() for key, text in texts.items()})
    assert re.findall(r"generation 2 \((\w+)\)", page) == [served, served]


def test_the_index_names_each_example() -> None:
    """examples/README.md has a line for each directory, which leads to its page."""
    examples = ROOT / "examples"
    index = (examples / "README.md").read_text()
    linked = re.findall(r"^- \[(\w+)\]\(\1/README\.md\): .+\.$", index, re.MULTILINE)
    assert sorted(linked) == sorted(page.parent.name for page in examples.glob("*/README.md"))
