# SPDX-License-Identifier: ISC
"""usage: django_app.py PORT [trusting]

An application on Django with what it checks by default: the token of a form,
and that Origin (or Referer, under https) is the host and scheme that it was
asked by. `trusting`: the scheme is what X-Forwarded-Proto says."""

import sys

from cheroot.wsgi import Server
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.urls import path

settings.configure(
    SECRET_KEY="for a test", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__,
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https")
    if "trusting" in sys.argv else None,
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware",
                "django.contrib.sessions.middleware.SessionMiddleware",
                "django.middleware.csrf.CsrfViewMiddleware"])

FORM = """<!doctype html><title>Django</title><h1>%s</h1>
<form method=post action=/login><input name=name id=name><button>In</button>
<input type=hidden name=csrfmiddlewaretoken value="%s"></form>"""


def page(request):
    who = request.session.get("name")
    answer = HttpResponse(FORM % ("in as " + who if who else "out",
                                  get_token(request)))
    policy = request.GET.get("policy")
    if policy:
        answer["Referrer-Policy"] = policy
    return answer


def login(request):
    request.session["name"] = request.POST["name"]
    return redirect(request.build_absolute_uri("/"))


urlpatterns = [path("", page), path("login", login)]
Server(("127.0.0.1", int(sys.argv[1])), get_wsgi_application()).start()
