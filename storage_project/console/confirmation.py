"""Actions that say what they will do and ask, before a service does it to each chosen row."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar

import structlog
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from storage_project.api.faults import Fault
from storage_project.console.caller import caller_of

MOST_ROWS = 200
FROM_ROW = "from_row"
CONFIRMED = "confirmed"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class ConfirmedAction:
    """An admin action. `act(row, caller, **answers)` calls the service; the answers are those to
    the form `asks`. A row's own page has a button for it while it is `offered` for that row."""

    act: Callable[..., object]
    short_description: str
    explains: str
    destroys: bool
    asks: type[forms.Form]
    offered: Callable[[Any], bool]

    # A template that names an action wants to show it.
    do_not_call_in_templates: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return self.act.__name__

    @property
    def __name__(self) -> str:
        """What Django calls the name of an action."""
        return self.name

    def __call__(
        self, model_admin: "admin.ModelAdmin[Any]", request: HttpRequest, rows: QuerySet[Any]
    ) -> HttpResponse | None:
        chosen = list(rows[: MOST_ROWS + 1])
        if len(chosen) > MOST_ROWS:
            messages.error(request, f"Choose at most {MOST_ROWS} at a time. Nothing was done.")
            return None
        confirmed = CONFIRMED in request.POST
        form = self.asks(request.POST if confirmed else None, prefix="answer")
        if not confirmed or not form.is_valid():
            return self._ask(model_admin, request, chosen, form)
        self._carry_out(model_admin, request, chosen, form.cleaned_data)
        return self._return(model_admin, request, chosen)

    def _ask(
        self,
        model_admin: "admin.ModelAdmin[Any]",
        request: HttpRequest,
        chosen: list[Model],
        form: forms.Form,
    ) -> HttpResponse:
        context = model_admin.admin_site.each_context(request) | {
            "title": f"{self.short_description}?",
            "action": self,
            "chosen": chosen,
            "form": form,
            "opts": model_admin.opts,
            "checkbox_name": ACTION_CHECKBOX_NAME,
            "from_row": FROM_ROW in request.POST,
        }
        return TemplateResponse(request, "console/confirm.html", context)

    def _carry_out(
        self,
        model_admin: "admin.ModelAdmin[Any]",
        request: HttpRequest,
        chosen: list[Model],
        answers: dict[str, Any],
    ) -> None:
        caller = caller_of(request)
        told = ", ".join(f"{name}: {answer}" for name, answer in answers.items() if answer)
        done = []
        for row in chosen:
            before = copy(row)  # the service may change the row, or end it
            try:
                self.act(row, caller, **answers)
            except Fault as fault:
                messages.error(request, f"{before}: {fault.message}")
                continue
            done.append(str(before))
            what = f"{self.short_description} ({told})" if told else self.short_description
            model_admin.log_change(request, before, what)
        if done:
            messages.success(request, f"{self.short_description}: {', '.join(done)}")
        log.info("an operator acted", action=self.name, user=caller.user_name, rows=done)

    def _return(
        self, model_admin: "admin.ModelAdmin[Any]", request: HttpRequest, chosen: list[Model]
    ) -> HttpResponse | None:
        """To the row's own page if that is where the button was and there still is a row."""
        opts = model_admin.opts
        page = f"admin:{opts.app_label}_{opts.model_name}_change"
        row = chosen[0]
        if FROM_ROW in request.POST and type(row)._default_manager.filter(pk=row.pk).exists():
            return redirect(page, row.pk)
        return None


def confirmed(
    label: str,
    *,
    explains: str,
    destroys: bool = False,
    asks: type[forms.Form] = forms.Form,
    offered: Callable[[Any], bool] = lambda row: True,
) -> Callable[[Callable[..., object]], ConfirmedAction]:
    """Make an admin action of a function that calls a service: see `ConfirmedAction`."""

    def wrap(act: Callable[..., object]) -> ConfirmedAction:
        return ConfirmedAction(
            act=act,
            short_description=label,
            explains=explains,
            destroys=destroys,
            asks=asks,
            offered=offered,
        )

    return wrap
