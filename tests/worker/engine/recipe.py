"""PipelineSpecs written by hand for tests, so that they need no compiler: steps run Python text on this machine."""

from collections.abc import Iterable, Mapping
from typing import Any, Self

#: Read what the step was told (`told`), and give it `value(name)`, `give(name, value)` and `path(name)`.
_PRELUDE = """
import json, os, sys, time, signal
from pathlib import Path
told = json.loads(sys.argv[1])
def value(name): return told["inputs"]["parameterValues"][name]
def give(name, value): Path(told["outputs"]["parameters"][name]["outputFile"]).write_text(value)
def path(name, side="outputs"): return Path(told[side]["artifacts"][name]["artifacts"][0]["uri"])
"""


class Recipe:
    """A PipelineSpec under construction; `document` may be changed at will."""

    def __init__(self, parameters: Mapping[str, Any] | None = None) -> None:
        """Begin with the root's parameters: name to type, or to (type, default)."""
        self.document: dict[str, Any] = {
            "pipelineInfo": {"name": "recipe"},
            "schemaVersion": "2.1.0",
            "sdkVersion": "kfp-2.17.0",
            "deploymentSpec": {"executors": {}},
            "components": {},
            "root": {"dag": {"tasks": {}}},
        }
        self.tasks = self.document["root"]["dag"]["tasks"]
        if parameters:
            self.document["root"]["inputDefinitions"] = {"parameters": _parameters(parameters)}

    def step(
        self,
        key: str,
        code: str = "",
        *,
        after: Iterable[str] = (),
        takes: Mapping[str, Any] | None = None,
        wired: Mapping[str, Mapping[str, Any]] | None = None,
        reads: Mapping[str, str] | None = None,
        gives: Mapping[str, str] | None = None,
        writes: Iterable[str] = (),
        retry: Mapping[str, Any] | None = None,
        into: dict[str, Any] | None = None,
    ) -> Self:
        """Add a step.

        Args:
            key: the task's.
            code: what it does.
            after: keys of earlier tasks.
            takes: input parameters, name to type.
            wired: where they come from, as in the spec.
            reads: input artifacts, name to `task.output`.
            gives: output parameters, name to type.
            writes: output artifacts.
            retry: the retry policy.
            into: the tasks of another DAG than the root.
        """
        component: dict[str, Any] = {"executorLabel": f"exec-{key}"}
        artifact = {"artifactType": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}}
        if takes or reads:
            component["inputDefinitions"] = {
                "parameters": _parameters(takes or {}),
                "artifacts": dict.fromkeys(reads or {}, artifact),
            }
        if gives or writes:
            component["outputDefinitions"] = {
                "parameters": _parameters(gives or {}),
                "artifacts": dict.fromkeys(writes, artifact),
            }
        task = _task(key, after)
        task["inputs"] = {
            "parameters": dict(wired or {}),
            "artifacts": {name: {"taskOutputArtifact": _output(of)} for name, of in (reads or {}).items()},
        }
        if retry:
            task["retryPolicy"] = dict(retry)
        self._add(key, component, task, into)
        container = {"image": "none", "command": ["python3", "-c", _PRELUDE + code], "args": ["{{$}}"]}
        self.document["deploymentSpec"]["executors"][f"exec-{key}"] = {"container": container}
        return self

    def group(
        self,
        key: str,
        *,
        takes: Mapping[str, Any] | None = None,
        wired: Mapping[str, Any] | None = None,
        into: dict[str, Any] | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """Add a nested DAG and return its tasks; `more` goes into the task (iterator, trigger …)."""
        component: dict[str, Any] = {"dag": {"tasks": {}}}
        if takes:
            component["inputDefinitions"] = {"parameters": _parameters(takes)}
        after = more.pop("after", ())
        task = {**_task(key, after), "inputs": {"parameters": dict(wired or {})}, **more}
        self._add(key, component, task, into)
        tasks: dict[str, Any] = component["dag"]["tasks"]
        return tasks

    def collect(self, key: str, name: str, of: str, *, artifact: bool = False) -> Self:
        """Let a group give `task.output` under a name: a loop the list of them."""
        component = self.document["components"][f"comp-{key}"]
        side, task, output = "artifacts" if artifact else "parameters", *of.split(".")
        outputs = component["dag"].setdefault("outputs", {}).setdefault(side, {})
        declared = component.setdefault("outputDefinitions", {}).setdefault(side, {})
        if artifact:
            outputs[name] = {"artifactSelectors": [{"producerSubtask": task, "outputArtifactKey": output}]}
            declared[name] = {"artifactType": {"schemaTitle": "system.Artifact"}, "isArtifactList": True}
        else:
            outputs[name] = {"valueFromParameter": {"producerSubtask": task, "outputParameterKey": output}}
            declared[name] = {"parameterType": "LIST"}
        return self

    def _add(self, key: str, component: Any, task: Any, into: dict[str, Any] | None) -> None:
        self.document["components"][f"comp-{key}"] = component
        (self.tasks if into is None else into)[key] = task


def constant(value: Any) -> dict[str, Any]:
    """Return a source: a written value."""
    return {"runtimeValue": {"constant": value}}


def outer(name: str) -> dict[str, Any]:
    """Return a source: the DAG's own input parameter."""
    return {"componentInputParameter": name}


def output(of: str) -> dict[str, Any]:
    """Return a source: `task.parameter`."""
    task, key = of.split(".")
    return {"taskOutputParameter": {"producerTask": task, "outputParameterKey": key}}


def _output(of: str) -> dict[str, str]:
    task, key = of.split(".")
    return {"producerTask": task, "outputArtifactKey": key}


def _task(key: str, after: Iterable[str]) -> dict[str, Any]:
    return {
        "taskInfo": {"name": key},
        "componentRef": {"name": f"comp-{key}"},
        "cachingOptions": {},
        "dependentTasks": list(after),
    }


def _parameters(types: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {"parameterType": kind}
        if isinstance(kind, str)
        else {"parameterType": kind[0], "defaultValue": kind[1], "isOptional": True}
        for name, kind in types.items()
    }
