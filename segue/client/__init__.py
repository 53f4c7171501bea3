"""A client of Segue's HTTP API, blocking or asynchronous, that may safely ask again.

    with Client("http://127.0.0.1:8000") as client:
        track = client.recommend(7, track=4211, time=0.95).track

Every turn carries an idempotency key, the same at every attempt: the server decides once and logs
one event, however often the network loses the answer.
"""

from segue.client.answers import Readiness, Recommendation, Track
from segue.client.asynchronous import AsyncClient
from segue.client.blocking import Client
from segue.client.errors import ApiError, ClientError, ServerUnreachable, UnexpectedAnswer
from segue.client.retries import Retries

__all__ = [
    "ApiError",
    "AsyncClient",
    "Client",
    "ClientError",
    "Readiness",
    "Recommendation",
    "Retries",
    "ServerUnreachable",
    "Track",
    "UnexpectedAnswer",
]
