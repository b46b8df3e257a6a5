"""`colony costs`: what runs cost by bee, template or month, and what the loop gained for its money."""

from datetime import datetime
from typing import Any

import click

from worker.cli.common import Time, console, json_option, money, print_json, print_table


@click.command("costs")
@click.option(
    "--by", type=click.Choice(["bee", "template", "month"]), default="bee", show_default=True, help="What to sum by."
)
@click.option("--since", type=Time(), help="Only what was asked for (with --gain: deployed) since then.")
@click.option("--until", type=Time(), help="Only what was before then.")
@click.option("--gain", is_flag=True, help="Tell what each deployed version gained, and for a unit of money.")
@json_option
def command(by: str, since: datetime | None, until: datetime | None, *, gain: bool, as_json: bool) -> None:
    """Sum what runs were thought to cost before, what they cost by the price list, and what the bill said of them.

    Sums leave out what is not known; the last columns count those runs, and the reasons stand below the table. Beside
    what the bill said stands of how many runs it has said anything. With
    --json one object: groups, total, and why costs are not known; with --gain one object for each version.
    """
    from handlers.commands.show_costs import Asked, gains, shown_costs, shown_gains
    from worker.cli.common import opened

    asked = Asked(by, since, until)
    with opened() as app, app.ledger.begin(write=False) as transaction:
        prices = app.configuration.prices
        if gain:
            shown = shown_gains(gains(asked, transaction, app.bees), prices)
            print_json(shown["gains"]) if as_json else _print_gains(shown)
            return
        shown = shown_costs(asked, transaction, prices)
        print_json([shown]) if as_json else _print_costs(shown)


def _print_costs(shown: dict[str, Any]) -> None:
    columns = (shown["by"], "runs", "estimated", "settled", "corrected", "cost", "difference", "not known", "open")
    rows = [_row(group["name"], group) for group in shown["groups"]]
    if len(rows) > 1:
        rows.append(_row("total", shown["total"]))
    print_table(columns, rows, empty="no runs yet")
    if not rows:
        return
    console().print(f"In {shown['currency']}, by a price list of {shown['pricesAsOf']}.")
    for one in shown["unknown"]:
        console().print(f"Not known of {one['runs']}: {one['reason']}")


def _row(name: str, sums: dict[str, Any]) -> tuple[Any, ...]:
    corrected = sums["runs"] - sums["open"] - sums["uncorrected"]
    told = (money(sums[key]) for key in ("estimated", "settled"))
    bill = f"{money(sums['corrected'])} ({corrected})" if corrected else ""
    return (
        name,
        sums["runs"],
        *told,
        bill,
        money(sums["cost"]),
        _signed(sums["difference"]),
        sums["unknown"] or "",
        sums["open"] or "",
    )


def _print_gains(shown: dict[str, Any]) -> None:
    columns = ("deployed", "bee", "version", "metric", "gate", "measured", "gain", "runs", "cost", "gain per cost")
    rows = [
        (
            *(one["deployedAt"][:16].replace("T", " "), one["beeId"], one["version"], one["metric"]),
            *(_pair(one["gate"]), _pair(one["measured"]), _signed(one["gain"]), one["runs"] or ""),
            *(one["costUnknown"] if one["cost"] is None else money(one["cost"]), _number(one["gainPerCost"])),
        )
        for one in shown["gains"]
    ]
    print_table(columns, rows, empty="nothing was deployed yet")
    for bee in shown["bees"]:
        if bee["counted"]:
            said = f"{_signed(bee['gain'])} {bee['metric']} for {money(bee['cost'])} {shown['currency']}"
            per = "" if bee["gainPerCost"] is None else f": {_number(bee['gainPerCost'])} for each {shown['currency']}"
            console().print(f"{bee['beeId']}: {said} in {bee['counted']} of {bee['versions']} versions{per}")


def _pair(told: dict[str, Any]) -> str:
    if told["before"] is None and told["after"] is None:
        return ""
    before, after = ("–" if told[name] is None else f"{told[name]:.3f}" for name in ("before", "after"))
    return f"{before} → {after}"


def _signed(value: float | None) -> str:
    if value is None:
        return ""
    return f"{'+' if value > 0 else ''}{value:.3g}" if value else "0"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.4g}"
