"""A session of Python's redis package with the server at HOST PORT: plain clients, both versions of the protocol."""
import sys
import time

import redis


def session(client):
    client.flushall()
    assert client.set("k", "v") is True
    assert client.get("k") == b"v"
    assert client.get("nothing") is None
    assert client.set("k", "w", nx=True) is None
    assert client.set("k", "w", xx=True, get=True) == b"v"
    assert client.incr("n") == 1 and client.incrby("n", 4) == 5 and client.decr("n") == 4
    assert client.incrbyfloat("f", 0.5) == 0.5
    assert client.append("k", "x") == 2 and client.strlen("k") == 2
    assert client.getrange("k", 0, 0) == b"w" and client.setrange("k", 1, "y") == 2
    assert client.mset({"a": 1, "b": 2}) is True and client.msetnx({"a": 1}) is False
    assert client.mget("a", "b", "c") == [b"1", b"2", None]
    assert client.exists("a", "b") == 2 and client.type("a") == b"string"
    assert client.rename("a", "c") and client.copy("c", "d") and client.delete("b", "c", "d") == 3
    assert client.expire("k", 100) and client.ttl("k") in (99, 100) and client.persist("k")
    client.set("short", "x", px=50)
    time.sleep(0.1)
    assert client.get("short") is None
    assert sorted(client.scan_iter("*")) == sorted(client.keys("*")) == [b"f", b"k", b"n"]
    with client.pipeline(transaction=True) as pipe:
        assert pipe.incr("n").get("k").execute() == [5, b"wy"]
    with client.pipeline() as pipe:
        pipe.watch("n")
        client.set("n", 7)
        pipe.multi()
        pipe.incr("n")
        try:
            pipe.execute()
            raise AssertionError("the watched key changed")
        except redis.WatchError:
            pass
    try:
        client.incr("k")
        raise AssertionError("k is no number")
    except redis.ResponseError as error:
        assert "not an integer" in str(error)
    assert client.info()["cluster_enabled"] == 1
    assert client.client_setname("me") and client.client_getname() in ("me", b"me")
    # An expired key counts until it is removed, which may be a little later.
    assert client.dbsize() in (3, 4) and client.ping()


host, port = sys.argv[1], int(sys.argv[2])
session(redis.Redis(host=host, port=port, protocol=2))
session(redis.Redis(host=host, port=port, protocol=3))
