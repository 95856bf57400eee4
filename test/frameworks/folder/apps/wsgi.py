# The same as a WSGI application, for gunicorn.
import json
import os
import urllib.parse


def app(environ, start_response):
    if environ["PATH_INFO"] == "/seen":
        value = {"ip": environ["HTTP_X_FORWARDED_FOR"], "pid": os.getpid()}
    elif environ["REQUEST_METHOD"] == "POST":
        value = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
    else:
        value = {"hello": urllib.parse.parse_qs(environ["QUERY_STRING"])["n"][0]}
    body = json.dumps(value).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
