"""The asynchronous front between the HTTP server and the applications.

It reads request bodies and sends responses in the event loop, so that no thread waits
for a client. A body is read completely, within a deadline and a size limit, before the
application is called. The package knows HTTP and deadlines, and nothing of the
applications.
"""
