"""`pauses`: what is paused; `pause` and `resume` a bee, or the colony."""

from fastapi import APIRouter, Request

from handlers.commands.pause import pause, pauses, resume, shown_pause
from handlers.http.operating import PauseList, PauseRequest, PauseShown, ResumeRequest, operator
from handlers.http.problems import RESPONSES
from handlers.http.scopes import needs
from handlers.http.services import Services
from worker.access.token import Scope


def routes(services: Services) -> APIRouter:
    """Return the routes of pauses."""
    router = APIRouter(responses=RESPONSES)

    @router.get("/pauses", **needs(Scope.READ))
    def list_pauses() -> PauseList:
        """List what is paused, by whom, why, and until when."""
        with services.ledger.begin(write=False) as transaction:
            found = pauses(transaction, services.clock())
        colony = [shown_pause(None, found.colony)] if found.colony else []
        bees = [shown_pause(bee, one) for bee, one in sorted(found.bees.items())]
        return PauseList(pauses=[PauseShown.model_validate(one) for one in [*colony, *bees]])

    @router.post("/pause", **needs(Scope.OPERATE))
    def pause_bee(asked: PauseRequest, request: Request) -> PauseShown:
        """Start nothing new for a bee, or without one for the colony; what is held back waits."""
        made = pause(operator(services, request), asked.beeId, asked.reason, asked.until)
        return PauseShown.model_validate(shown_pause(asked.beeId, made))

    @router.post("/resume", **needs(Scope.OPERATE))
    def resume_bee(asked: ResumeRequest, request: Request) -> PauseShown:
        """End a pause, and answer what it was; what waits is judged again at once."""
        before = resume(operator(services, request), asked.beeId)
        return PauseShown.model_validate(shown_pause(asked.beeId, before))

    return router
