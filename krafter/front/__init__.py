"""The asynchronous front: what stands between the server and the applications.

It waits for clients, so that no thread ever does: a body is read whole, within a
deadline and a size, before anybody works on it, and an answer is sent as fast as
the client takes it. It knows HTTP and deadlines, and nothing of what is served.
"""
