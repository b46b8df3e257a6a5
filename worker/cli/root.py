"""`colony`: the table of commands, and what each kind of error means for the exit code."""

import importlib
import signal
import sys

import click

from worker.cli.stopping import Terminated, flag_on, raise_on_sigterm
from worker.errors import ColonyError, Conflict, NotFound, Rejected, TryLater

#: command → (module, what it does in one line)
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("run", "Take events and drive runs until stopped (the long-lived worker)."),
    "drain": ("drain", "Work until the intake is empty and nothing is due, then exit (a job)."),
    "replay": ("replay", "Put recorded events through the same intake, in event time."),
    "serve": ("serve", "Serve the HTTP API: pipelines, models, predict, decisions, health, metrics."),
    "trigger": ("trigger", "Ask for a pipeline run by hand."),
    "runs": ("runs", "List runs, show one with its steps, cancel one."),
    "decisions": ("decisions", "List what was decided about each evaluation, and why."),
    "why": ("why", "Tell in words why an event, a run or a bee did or did not lead to a retrain."),
    "incidents": ("incidents", "List incidents."),
    "incident": ("incident", "Tell an incident's story as a time line; close it, or have it tried again."),
    "approvals": ("approvals", "List what waits for a person's word; approve it, or refuse it."),
    "pause": ("pause", "Start nothing new for a bee, or for the colony."),
    "resume": ("resume", "End a pause."),
    "pauses": ("pauses", "List what is paused."),
    "costs": ("costs", "Sum what runs cost, by bee, template or month; tell what the loop gained for it."),
    "policy": ("policy", "Show the policy in force."),
    "notices": ("notices", "List what was told by webhook, and what could not be."),
    "events": ("events", "List what was published."),
    "dead-letters": ("dead_letters", "List, show and put back the messages that were turned away."),
    "ledger": ("ledger", "Prune, back up, restore and verify the ledger, while workers run."),
    "models": ("models", "List, promote, roll back and adopt model versions; look at rollouts, splits and history."),
    "model-server": ("model_server", "Serve one model, as the container of a Vertex endpoint does."),
    "monitor": ("monitor", "Judge the models in production on the labels that have come in; tell drift."),
    "ab": ("ab", "Try versions side by side on live traffic: plan, start, status, report, stop."),
    "predict": ("predict", "Predict with a bee's model in production."),
    "features": ("features", "Define, import, read and list features."),
    "pipelines": ("pipelines", "List, validate, compile and show pipeline templates."),
    "tokens": ("tokens", "Make, list and revoke the bearer tokens of the HTTP API."),
    "pubsub": ("pubsub", "Make the Pub/Sub topics and subscriptions."),
    "backtest": ("backtest", "Live through a bee's history in event time: managed, never and weekly retrained."),
    "doctor": ("doctor", "Check every part with a real call and say what is missing."),
}

EPILOG = """Exit codes: 0 what was asked for happened; 1 unexpected; 2 wrong input; 3 something is away or work is
left, try later; 4 not found; 5 conflict; 6 the run failed or was cancelled; 130 interrupted; 143 terminated."""

EXIT: list[tuple[type[ColonyError], int]] = [(Rejected, 2), (TryLater, 3), (NotFound, 4), (Conflict, 5)]
#: They work until they are asked to end, and end with 0 then.
LASTING = {"run", "drain", "serve"}
RUN_FAILED = 6
TERMINATED = 143


class LazyGroup(click.Group):
    """A group that loads a command's module when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Load a command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"worker.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the table without loading anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="colony-mlops", prog_name="colony")
def root() -> None:
    """Closes the loop from model drift to a better model in production.

    Data lives in COLONY_HOME (default .colony); COLONY_CONFIG is a directory laid over the shipped configuration.
    """


def run() -> int:
    """Run the command line and return the exit code."""
    # At once: asked while it starts, a worker ends well, too.
    lasting = next((word for word in sys.argv[1:] if not word.startswith("-")), "") in LASTING
    stopped = flag_on(signal.SIGTERM) if lasting else None
    if not lasting:
        raise_on_sigterm()
    try:
        result = root(standalone_mode=False)
    except click.exceptions.Exit as error:
        return int(error.exit_code)
    except click.ClickException as error:
        error.show()
        return 2
    except Terminated:
        click.echo("terminated; start the same command again to go on", err=True)
        return TERMINATED
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; start the same command again to go on", err=True)
        return 130
    except ColonyError as error:
        click.echo(f"colony: {error}", err=True)
        if isinstance(error, TryLater) and stopped is not None and stopped.is_set():
            return 0
        return next((code for kind, code in EXIT if isinstance(error, kind)), 1)
    except BrokenPipeError:
        # The reader of a pipe (`| head`) went away: that is its right.
        sys.stderr.close()
        return 0
    return result if isinstance(result, int) else 0
