"""Names of things in a class. Ids are short opaque strings; none is guessable into a right, none is minted at random in here.

A participant id stands for one identity in one class session (the shell derives it from session and user), so a person with three
devices is one participant. Ids of messages, polls and checks are derived from the journal number of the event that made them.
"""

from typing import Annotated, TypeAlias

from msgspec import Meta

Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"\A[A-Za-z0-9_-]+\Z")]
SessionId: TypeAlias = Id
ParticipantId: TypeAlias = Id
ConnectionId: TypeAlias = Id
MessageId: TypeAlias = Id
PollId: TypeAlias = Id
CheckId: TypeAlias = Id
#: Made by the client, unique per participant; a resend with the same id gets the same answer.
OperationId: TypeAlias = Id
#: Milliseconds since the Unix epoch, server clock.
Millis: TypeAlias = int
