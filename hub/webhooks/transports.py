"""The ways out of the hub: HTTP, and mail beside it. A lane has both, so that an endpoint may change from one to the other."""

from hub.core.ports import RenderedRequest
from hub.webhooks.answer import Answer
from hub.webhooks.client import HttpClient, Sender
from hub.webhooks.dial import Dialler
from hub.webhooks.mailer import Mailer
from hub.webhooks.sentences import Result
from hub.webhooks.targets import Guard


class Transports:
    """What the lanes of a process share. A `hub.webhooks.client.Client`."""

    def __init__(self, http: HttpClient, mailer: Mailer | None) -> None:
        self._http = http
        self._mailer = mailer

    @property
    def guard(self) -> Guard:
        """Which addresses customers' URLs may lead to; the mail server is the operator's own and not asked about."""
        return self._http.guard

    @property
    def dialler(self) -> Dialler:
        """What opens connections to addresses that customers choose."""
        return self._http.dialler

    @property
    def has_mail(self) -> bool:
        """Whether a mail server is named."""
        return self._mailer is not None

    def pool(self) -> Sender:
        """The way out of one lane."""
        return _Either(self._http.pool(), self._mailer)

    def close(self) -> None:
        """Look up no more names."""
        self._http.close()


class _Either:
    """A `Sender` that looks at what it is given."""

    def __init__(self, http: Sender, mailer: Mailer | None) -> None:
        self._http = http
        self._mailer = mailer

    async def send(self, request: RenderedRequest, deadline_seconds: float) -> Answer:
        """See `Sender`."""
        if not request.is_mail:
            return await self._http.send(request, deadline_seconds)
        if self._mailer is None:
            return Answer(Result.NO_SENDER)
        return await self._mailer.send(request, deadline_seconds)

    def close(self) -> None:
        """See `Sender`."""
        self._http.close()
