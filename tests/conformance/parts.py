"""Components for micro-pipelines: container components, each a line of Python that runs on this machine."""
# ruff: noqa: D103 (the names say it)

from typing import List  # noqa: UP035 (the SDK reads this spelling of lists of artifacts)

from kfp import dsl

_WRITE = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"
_JOIN = "import sys, json, pathlib; pathlib.Path(sys.argv[1]).write_text('+'.join(map(str, json.loads(sys.argv[2]))))"
_READ_ALL = (
    "import sys, json, pathlib; "
    "texts = [pathlib.Path(one['uri']).read_text() for one in json.loads(sys.argv[2])]; "
    "pathlib.Path(sys.argv[1]).write_text('+'.join(texts))"
)
_COPY = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(pathlib.Path(sys.argv[2]).read_text() + sys.argv[3])"
_FLAKY = (
    "import sys, pathlib; once = pathlib.Path(sys.argv[2]); n = len(list(once.parent.glob(once.name + '*'))); "
    "pathlib.Path(f'{once}{n}').touch(); "
    "n >= int(sys.argv[3]) or sys.exit(f'attempt {n}'); pathlib.Path(sys.argv[1]).write_text(str(n))"
)


def _python(code: str, *args: object) -> dsl.ContainerSpec:
    return dsl.ContainerSpec(image="none", command=["python3", "-c", code], args=list(args))


@dsl.container_component
def text(value: str, out: dsl.OutputPath(str)):  # noqa: ANN201
    return _python(_WRITE, out, value)


@dsl.container_component
def pair(first: str, second: str, out: dsl.OutputPath(str)):  # noqa: ANN201
    return _python(
        "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(''.join(sys.argv[2:]))", out, first, second
    )


@dsl.container_component
def number(value: int, out: dsl.OutputPath(int)):  # noqa: ANN201
    return _python(_WRITE, out, value)


@dsl.container_component
def fraction(value: float, out: dsl.OutputPath(float)):  # noqa: ANN201
    return _python(_WRITE, out, value)


@dsl.container_component
def truth(value: bool, out: dsl.OutputPath(bool)):  # noqa: ANN201, FBT001
    return _python(_WRITE, out, value)


@dsl.container_component
def many(value: str, out: dsl.OutputPath(list)):  # noqa: ANN201
    return _python(_WRITE, out, value)


@dsl.container_component
def struct(value: str, out: dsl.OutputPath(dict)):  # noqa: ANN201
    return _python(_WRITE, out, value)


@dsl.container_component
def joined(values: list, out: dsl.OutputPath(str)):  # noqa: ANN201
    return _python(_JOIN, out, values)


@dsl.container_component
def shown(values: dict, out: dsl.OutputPath(str)):  # noqa: ANN201
    return _python(_WRITE, out, values)


@dsl.container_component
def maybe(out: dsl.OutputPath(str), value: str = "default"):  # noqa: ANN201
    return _python(_WRITE, out, value)


@dsl.container_component
def fails(why: str = "broke"):  # noqa: ANN201
    return _python("import sys; sys.exit(sys.argv[1])", why)


@dsl.container_component
def waits(mark: str):  # noqa: ANN201
    return _python("import sys, time, pathlib; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)", mark)


@dsl.container_component
def flaky(mark: str, failures: int, out: dsl.OutputPath(str)):  # noqa: ANN201
    return _python(_FLAKY, out, mark, failures)


@dsl.container_component
def final(mark: str, status: dsl.PipelineTaskFinalStatus):  # noqa: ANN201
    return _python(_WRITE, mark, status)


@dsl.container_component
def mark(path: str, value: str = ""):  # noqa: ANN201
    return _python(_WRITE, path, value)


@dsl.container_component
def data(value: str, made: dsl.Output[dsl.Dataset]):  # noqa: ANN201
    return _python(_WRITE, made.path, value)


@dsl.container_component
def model(value: str, made: dsl.Output[dsl.Model]):  # noqa: ANN201
    return _python(_WRITE, made.path, value)


@dsl.container_component
def copied(given: dsl.Input[dsl.Dataset], made: dsl.Output[dsl.Dataset], more: str = ""):  # noqa: ANN201
    return _python(_COPY, made.path, given.path, more)


@dsl.container_component
def read(given: dsl.Input[dsl.Dataset], out: dsl.OutputPath(str)):  # noqa: ANN201
    return _python(_COPY, out, given.path, "")


@dsl.container_component
def read_all(given: dsl.Input[List[dsl.Dataset]], out: dsl.OutputPath(str)):  # noqa: ANN201, UP006
    return _python(_READ_ALL, out, given)
