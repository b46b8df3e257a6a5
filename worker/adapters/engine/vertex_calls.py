"""Every call to Vertex AI's PipelineService: within its quota, with patience, and none while it is known to be away."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from google.api_core import exceptions
from google.protobuf.json_format import ParseDict

from worker.adapters.engine.vertex_client import TRANSIENT, Patience, call
from worker.adapters.engine.vertex_rates import Allowance
from worker.errors import TryLater

_PAGE = 100
#: A quota that is used up is not there again within a call's patience.
_AGAIN = tuple(kind for kind in TRANSIENT if kind is not exceptions.ResourceExhausted)


@dataclass(frozen=True)
class Quota:
    """Calls per minute of one project and region: runs submitted, and everything else."""

    submissions: int = 60
    calls: int = 600


class Calls:
    """The four calls that the engine makes; Google's errors pass through.

    After a call that was not answered for as long as patience lasts, the next one is tried once, and if that is not
    answered either, none is made for a while: a turn over many runs must not wait for each of them, nor all of them
    for the one that Vertex AI has trouble with.
    """

    def __init__(
        self,
        make: Callable[[], Any],
        patience: Patience,
        quota: Quota,
        *,
        rest_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make nothing yet.

        Args:
            make: returns a PipelineServiceClient (its import takes seconds); called once, at the first call.
            patience: time-outs and back-off.
            quota: how often Vertex AI may be asked.
            rest_s: how long it is left alone after it did not answer.
            clock: counts seconds.
        """
        self._make = make
        self._patience = patience
        self._submissions = Allowance(quota.submissions, clock=clock)
        self._others = Allowance(quota.calls, clock=clock)
        self._rest_s = rest_s
        self.clock = clock
        self._away_until = 0.0
        self._probed = False

    def create(self, parent: str, job_id: str, job: Mapping[str, Any]) -> Any:
        """Create a PipelineJob, given as JSON values. Raises TryLater when too many were created."""
        from google.cloud.aiplatform_v1.types import PipelineJob

        # The message makes itself of these values, too, but takes ten times as long for a spec.
        message = PipelineJob.wrap(ParseDict(job, PipelineJob.pb(PipelineJob())))
        request = {"parent": parent, "pipeline_job": message, "pipeline_job_id": job_id}
        return self._ask("create_pipeline_job", request, self._submissions)

    def get(self, name: str) -> Any:
        """Return a PipelineJob by its full name."""
        return self._ask("get_pipeline_job", {"name": name}, self._others)

    def cancel(self, name: str) -> None:
        """Ask for a PipelineJob's cancellation."""
        self._ask("cancel_pipeline_job", {"name": name}, self._others)

    def list(self, parent: str, wanted: str, fields: tuple[str, ...]) -> Iterator[Any]:
        """Yield the jobs that a filter lets through, each with these fields only; one call per page of 100."""
        request = {"parent": parent, "filter": wanted, "read_mask": {"paths": list(fields)}, "page_size": _PAGE}
        while True:
            page = self.page(request)
            yield from page.pipeline_jobs
            if not page.next_page_token:
                return
            request = {**request, "page_token": page.next_page_token}

    def page(self, request: Mapping[str, Any]) -> Any:
        """Return one page of a list."""
        # The pager's own calls for further pages would be made without patience.
        return next(iter(self._ask("list_pipeline_jobs", request, self._others).pages))

    def close(self) -> None:
        """Close the channel, if one was opened."""
        if "_client" in self.__dict__:
            self._client.transport.close()

    @cached_property
    def _client(self) -> Any:
        return self._make()

    def _ask(self, method: str, request: Mapping[str, Any], allowance: Allowance) -> Any:
        patience = self._patience
        if away := self.clock() < self._away_until:
            if self._probed:
                raise TryLater("Vertex AI did not answer a moment ago")
            self._probed, patience = True, replace(patience, total_s=0.0)
        made = getattr(self._client, method)

        def attempt(**given: Any) -> Any:
            wait_s = allowance.take()
            if wait_s:
                raise TryLater(f"Vertex AI's quota of calls is used up, the next is possible in {wait_s:.1f} s")
            return made(**given)

        try:
            answer = call(attempt, request, patience, transient=_AGAIN)
        except exceptions.ResourceExhausted:
            allowance.refused()
            raise
        except _AGAIN:
            if not away:
                self._away_until, self._probed = self.clock() + self._rest_s, False
            raise
        allowance.granted()
        self._away_until = 0.0
        return answer
