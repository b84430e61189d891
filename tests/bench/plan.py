"""How much is measured: more rounds and longer runs are more precise, and take longer."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Plan:
    name: str
    rounds: int  # of interleaved runs; their median counts
    seconds: float  # of a run that has no other end
    kvs_seconds: float  # the same of the key-value servers, of which there are many runs
    store_rounds: int
    deadline: int  # seconds for everything
    connections: int = 64  # that ask at the same time
    idle: int = 15_000
    visits: int = 200  # for which the strategies are compared
    file_bytes: int = 1 << 30
    items: int = 1_000_000
    mux_requests: int = 10_000
    bulk_bytes: int = 1 << 29
    idle_streams: int = 100_000
    needs_peers: bool = True  # one that is not installed is a failure


NORMAL = Plan("normal", rounds=7, seconds=0.8, kvs_seconds=0.5, store_rounds=1, deadline=780)
LONG = Plan("long", rounds=15, seconds=1.5, kvs_seconds=1.2, store_rounds=3, deadline=3600)
SMOKE = Plan("smoke", rounds=2, seconds=0.05, kvs_seconds=0.05, store_rounds=1, deadline=100, connections=8, idle=100, visits=20,
             file_bytes=1 << 20, items=1000, mux_requests=200, bulk_bytes=1 << 22, idle_streams=1000, needs_peers=False)
