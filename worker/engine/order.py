"""Which steps of a run come after which others, whatever the bound on steps and however long they take."""

from worker.engine.graph import Graph


def comes_after(graph: Graph, path: str, earlier: str) -> bool:
    """Return whether the step at a path begins only once another of the same run has ended.

    It does if, in the DAG that holds both, its task needs the other's, directly or not; and if it belongs to a later
    attempt of a DAG. Iterations of a loop come after none of each other.

    Args:
        graph: the pipeline.
        path: of a step, `loop/0/train`, `inner~2/train`.
        earlier: of the other.
    """
    dag, mine, others = "", path.split("/"), earlier.split("/")
    while mine and others:
        (name, _, attempt), (other, _, other_attempt) = mine[0].partition("~"), others[0].partition("~")
        task = next(task for task in graph.dags[dag] if task.name == name)
        if name != other:
            key = next(task.key for task in graph.dags[dag] if task.name == other)
            return key in _needed(graph, dag, task.key)
        if attempt != other_attempt and not task.loops:
            return int(attempt or 1) > int(other_attempt or 1)
        if task.loops:
            (number, _, attempt), (other, _, other_attempt) = mine[1].partition("~"), others[1].partition("~")
            if number != other:
                return False
            if attempt != other_attempt:
                return int(attempt or 1) > int(other_attempt or 1)
        dag = task.spec.component_ref.name
        mine, others = mine[1 + task.loops :], others[1 + task.loops :]
    return False


def _needed(graph: Graph, dag: str, key: str) -> set[str]:
    """Return the keys of all tasks that one needs, directly or not."""
    needs = {task.key: task.needs for task in graph.dags[dag]}
    found: set[str] = set()
    waiting = [key]
    while waiting:
        for needed in needs[waiting.pop()]:
            if needed not in found:
                found.add(needed)
                waiting.append(needed)
    return found
