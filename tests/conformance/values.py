"""Values and artifacts: types, constants, defaults, placeholders, structured arguments, environment, importer."""
# ruff: noqa: D103 (the name in the table below says what a pipeline is)

from typing import Optional

from kfp import dsl

from tests.conformance.case import FAILED, Case, ran, skipped
from tests.conformance.parts import data, fraction, joined, many, number, read, shown, text, truth

_ARGUMENTS = "import sys, json, pathlib; pathlib.Path(sys.argv[1]).write_text(json.dumps(sys.argv[2:]))"
_ENVIRONMENT = "import os, sys, pathlib; pathlib.Path(sys.argv[1]).write_text(os.environ['GREETING'])"
_SIZE = (
    "import sys, json, pathlib; told = json.loads(sys.argv[1]); "
    "pathlib.Path(told['outputs']['parameters']['out']['outputFile'])"
    ".write_text(str(len(told['inputs']['parameterValues']['value'])))"
)


@dsl.container_component
def arguments(out: dsl.OutputPath(list), first: str, second: Optional[str] = None, third: str = "3"):  # noqa: ANN201, UP045
    return dsl.ContainerSpec(
        image="none",
        command=["python3", "-c", _ARGUMENTS, out],
        args=[
            dsl.ConcatPlaceholder(["--first=", first]),
            dsl.IfPresentPlaceholder(input_name="second", then=["--second", second], else_=["--no-second"]),
            dsl.IfPresentPlaceholder(input_name="third", then=dsl.ConcatPlaceholder(["--third=", third])),
            dsl.ConcatPlaceholder(["a", dsl.IfPresentPlaceholder(input_name="second", then=second, else_="none"), "z"]),
            '{"json": [1, 2]}',
        ],
    )


@dsl.container_component
def environment(out: dsl.OutputPath(str)):  # noqa: ANN201
    return dsl.ContainerSpec(image="none", command=["python3", "-c", _ENVIRONMENT, out])


@dsl.container_component
def size(value: str, out: dsl.OutputPath(int)):  # noqa: ANN201
    return dsl.ContainerSpec(
        image="none", command=["python3", "-c", _SIZE], args=[dsl.PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER]
    )


@dsl.container_component
def same(values: dict, out: dsl.OutputPath(dict)):  # noqa: ANN201
    code = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"
    return dsl.ContainerSpec(image="none", command=["python3", "-c", code], args=[out, values])


@dsl.container_component
def big(n: int, out: dsl.OutputPath(str)):  # noqa: ANN201
    code = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text('v' * int(sys.argv[2]))"
    return dsl.ContainerSpec(image="none", command=["python3", "-c", code], args=[out, n])


@dsl.container_component
def metadata(given: dsl.Input[dsl.Dataset], out: dsl.OutputPath(list)):  # noqa: ANN201
    return dsl.ContainerSpec(
        image="none",
        command=["python3", "-c", _ARGUMENTS],
        args=[out, given.uri, given.metadata["owner"]],
    )


def every_type(
    s: str = "x",
    i: int = 3,
    f: float = 2.0,
    b: bool = True,  # noqa: FBT001, FBT002
    some: list = [1, "a"],  # noqa: B006
    d: dict = {"k": 1},  # noqa: B006
) -> None:
    text(value=s)
    number(value=i)
    fraction(value=f)
    truth(value=b)
    joined(values=some)
    shown(values=d)


def wrong_output() -> None:
    many(value="no list")


def text_with_values(name: str = "bee", n: int = 3) -> str:
    first = number(value=n)
    return text(value=f"{name}: {first.output} of {n}").output


def values_in_a_list(n: int = 3) -> str:
    made = text(value="made")
    return joined(values=["a", f"<{made.output}>", f"{n}"]).output


def values_in_a_struct(n: int = 3) -> dict:
    made = text(value="made")
    return same(values={"key": f"{made.output}-{n}", "inner": {"list": [f"{n}"]}}).output


def about_the_run() -> None:
    text(value=dsl.PIPELINE_JOB_NAME_PLACEHOLDER)
    text(value=f"{dsl.PIPELINE_TASK_NAME_PLACEHOLDER}")
    text(value=dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER)


def structured() -> None:
    arguments(first="1")
    arguments(first="1", second="2", third="x y")


def with_environment() -> str:
    return environment().set_env_variable("GREETING", "hello ' \" $HOME").output


def several_megabytes() -> int:
    return size(value=big(n=3_000_000).output).output


def unusable(value: str) -> None:
    many(value=value)
    text(value="beside")


@dsl.container_component
def digits(out: dsl.OutputPath(float)):  # noqa: ANN201
    return dsl.ContainerSpec(image="none", command=["sh", "-c", 'printf "1%0400d" 0 > "$0"'], args=[out])


@dsl.container_component
def scripted(script: str, out: dsl.OutputPath(str)):  # noqa: ANN201
    return dsl.ContainerSpec(image="none", command=["sh", "-c", script], args=[out])


def scripted_output(script: str) -> None:
    scripted(script=script)
    text(value="beside")


def endless_number() -> None:
    digits().set_display_name("fraction")


def endless_items() -> None:
    with dsl.ParallelFor(items=[{"few": "[" * 2000 + "]" * 2000}]) as item, dsl.ParallelFor(items=item.few) as one:
        text(value=one)


def code_in_a_value() -> str:
    return text(value="__import__('os').system('false') {{not}} $(id) `id` ; rm").output


def imported(uri: str, owner: str = "me") -> str:
    made = dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset, metadata={"owner": owner, "by": f"<{owner}>"})
    metadata(given=made.output)
    return read(given=made.output).output


def written_import() -> None:
    made = dsl.importer(artifact_uri="/no/such/file", artifact_class=dsl.Dataset, reimport=True)
    read(given=made.output)


def artifact_as_output() -> dsl.Dataset:
    return data(value="content").outputs["made"]


@dsl.container_component
def reports(told: str, made: dsl.Output[dsl.Metrics]):  # noqa: ANN201
    """Write an executor output as it is given."""
    return dsl.ContainerSpec(
        image="none",
        command=["sh", "-c", 'printf "%s" "$1" > "$0"'],
        args=[dsl.PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER, told],
    )


@dsl.container_component
def about(given: dsl.Input[dsl.Metrics], out: dsl.OutputPath(dict)):  # noqa: ANN201
    return dsl.ContainerSpec(image="none", command=["sh", "-c", 'printf "%s" "$1" > "$0"'], args=[out, given.metadata])


def reported(told: str) -> dict:
    return about(given=reports(told=told).output).output


MADE = '{"artifacts": {"made": {"artifacts": %s}}}'
CASES = [
    Case(
        "reported metadata",
        reported,
        ran("reports", "about"),
        parameters={"told": MADE % '[{"metadata": {"accuracy": 0.5, "n": 3, "more": [null, {"é": true}]}}]'},
        gives={"Output": {"accuracy": 0.5, "n": 3, "more": [None, {"é": True}]}},
    ),
    *(
        Case(
            f"badly reported {number}",
            reported,
            {"reports": FAILED, **skipped("about")},
            parameters={"told": told},
            state=FAILED,
            error="executor_output.json",
        )
        for number, told in enumerate(
            (
                MADE % '[{"metadata": {"accuracy": NaN}}]',
                MADE % '[{"metadata": {"accuracy": 1e999}}]',
                MADE % ("[" * 2000 + "]" * 2000),
                MADE % '[{"metadata": [1]}]',
                MADE % '[{"uri": 3}]',
                MADE % "3",
                '{"artifacts": [1]}',
                "[]",
                "{",
            )
        )
    ),
    Case(
        "every type",
        every_type,
        ran("text", "number", "fraction", "truth", "joined", "shown"),
        gives={
            "text.out": "x",
            "number.out": 3,
            "fraction.out": 2.0,
            "truth.out": True,
            "joined.out": "1+a",
            "shown.out": '{"k": 1}',
        },
    ),
    Case(
        "every type, given",
        every_type,
        ran("text", "number", "fraction", "truth", "joined", "shown"),
        parameters={"s": "", "i": -1, "f": 1, "b": False, "some": [], "d": {"ü": [None]}},
        gives={"text.out": "", "number.out": -1, "fraction.out": 1.0, "truth.out": False, "shown.out": '{"ü": [null]}'},
    ),
    Case("wrong output", wrong_output, {"many": FAILED}, state=FAILED, error="not of type LIST"),
    *(
        Case(f"unusable output {number}", unusable, {"many": FAILED, **ran("text")}, {}, {"value": value}, FAILED, why)
        for number, (value, why) in enumerate(
            (
                ("[1, 1e400]", "not finite"),
                ("[-1e400]", "not finite"),
                (f"{'[' * 101}{']' * 101}", "nests deeper than 100"),
                (f"{'[' * 30000}{']' * 30000}", "nests deeper than 100"),
            )
        )
    ),
    *(
        Case(
            f"no readable output {number}",
            scripted_output,
            {"scripted": FAILED, **ran("text")},
            parameters={"script": script},
            state=FAILED,
            error=why,
        )
        for number, (script, why) in enumerate(
            (
                ('mkfifo "$0"', "something else than a file"),
                ('ln -s /dev/zero "$0"', "something else than a file"),
                ('truncate -s 3G "$0"', "at most 134217728 are taken"),
                ('printf "\\377" > "$0"', "something else than UTF-8"),
            )
        )
    ),
    Case("number without end", endless_number, {"fraction": FAILED}, state=FAILED, error="not of type NUMBER_DOUBLE"),
    Case("items without end", endless_items, {"for-loop-2/0/for-loop-3": FAILED}, state=FAILED, error="is no list"),
    Case("text with values", text_with_values, ran("number", "text"), gives={"Output": "bee: 3 of 3"}),
    Case("values in a list", values_in_a_list, ran("text", "joined"), gives={"Output": "a+<made>+3"}),
    Case(
        "values in a struct",
        values_in_a_struct,
        ran("text", "same"),
        gives={"Output": {"inner": {"list": ["3"]}, "key": "made-3"}},
    ),
    Case(
        "about the run",
        about_the_run,
        ran("text", "text-2", "text-3"),
        gives={"text.out": "{run}", "text-2.out": "text-2"},
    ),
    Case(
        "structured arguments",
        structured,
        ran("arguments", "arguments-2"),
        gives={
            "arguments.out": ["--first=1", "--no-second", "--third=3", "anonez", '{"json": [1, 2]}'],
            "arguments-2.out": ["--first=1", "--second", "2", "--third=x y", "a2z", '{"json": [1, 2]}'],
        },
    ),
    Case("environment", with_environment, ran("environment"), gives={"Output": "hello ' \" $HOME"}),
    Case("several megabytes", several_megabytes, ran("big", "size"), gives={"Output": 3_000_000}),
    Case(
        "code in a value",
        code_in_a_value,
        ran("text"),
        gives={"Output": "__import__('os').system('false') {{not}} $(id) `id` ; rm"},
    ),
    Case(
        "imported",
        imported,
        ran("importer", "metadata", "read"),
        parameters={"uri": "{tmp}/given"},
        gives={"Output": "what was there", "metadata.out": ["{tmp}/given", "me"]},
    ),
    Case("imported, not there", written_import, {**ran("importer"), "read": FAILED}, state=FAILED),
    Case("artifact of the pipeline", artifact_as_output, ran("data"), gives={"Output": ["content"]}),
]
