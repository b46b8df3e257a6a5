"""Approve or refuse what waits for a person: a run that is to begin, a version that is to go into production."""

from handlers.commands.operator import Operator, checked_reason
from worker.errors import NotFound
from worker.incidents.approval import Question
from worker.ledger import Transaction
from worker.runs.answer import Answered, Answerer, Word


def answer_question(operator: Operator, question_id: str, *, approve: bool, reason: str = "") -> Answered:
    """Answer a question in the operator's name; a refusal says why.

    Raises:
        NotFound: no such question, or its bee is not configured any more.
        Conflict: it was answered before, has expired, or is idle by now.
        Rejected: a refusal without a reason.
    """
    why = reason.strip() if approve and not reason.strip() else checked_reason(reason)
    with operator.ledger.begin() as transaction:
        bee = operator.bee(find_question(transaction, question_id).bee)
        transaction.lock([bee.bee])
        question = find_question(transaction, question_id)
        answerer = Answerer(bee, operator.policy, transaction, operator.now, operator.around)
        return answerer.answer(question, Word(approve, operator.name, why))


def find_question(transaction: Transaction, question_id: str) -> Question:
    """Return a question. Raises NotFound."""
    question = transaction.approvals.get(question_id)
    if question is None:
        raise NotFound(f"there is no approval {question_id}; `colony approvals` lists them", field="approvalId")
    return question
