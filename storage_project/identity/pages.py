"""The pages for people: sign in, choose a project, sign out."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.views import LoginView, RedirectURLMixin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.views import View
from rest_framework.exceptions import AuthenticationFailed, Throttled

from storage_project.identity.authentication import SESSION_PROJECT
from storage_project.identity.memberships import choose_membership, list_memberships
from storage_project.identity.models import User
from storage_project.identity.passwords import verify_password


class SignInForm(AuthenticationForm):
    """Says why a sign-in was refused, also when it was for too many failures before."""

    request: HttpRequest

    def clean(self) -> dict[str, Any]:
        if "username" in self.cleaned_data and "password" in self.cleaned_data:
            try:
                self.user_cache = verify_password(
                    name=self.cleaned_data["username"],
                    password=self.cleaned_data["password"],
                    address=self.request.META["REMOTE_ADDR"],
                )
            except (AuthenticationFailed, Throttled) as refusal:
                raise forms.ValidationError(str(refusal.detail)) from refusal
        return self.cleaned_data


class SignInPage(LoginView):
    """Signs in. Whoever is signed in already sees as whom, and may choose another project."""

    form_class = SignInForm
    template_name = "identity/sign_in.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        user = self.request.user
        if user.is_authenticated:
            context["after_sign_in"] = self.get_default_redirect_url()
            memberships = list_memberships(user)
            context["memberships"] = memberships
            context["current"] = choose_membership(
                user, memberships, wanted=self.request.session.get(SESSION_PROJECT)
            )
        return context


class SignedInRequest(HttpRequest):
    user: User


class ChooseProject(LoginRequiredMixin, RedirectURLMixin, View):
    """Keeps in the session which project the caller acts on from now."""

    request: SignedInRequest
    http_method_names = ["post"]
    next_page = str(settings.LOGIN_REDIRECT_URL)

    def post(self, request: SignedInRequest) -> HttpResponse:
        wanted = request.POST.get("project_id")
        if all(membership.project_id != wanted for membership in list_memberships(request.user)):
            raise Http404("No such project, or no role on it.")
        request.session[SESSION_PROJECT] = wanted
        return HttpResponseRedirect(self.get_success_url())
