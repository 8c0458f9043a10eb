"""Volume types: what is offered, edited through the same services as the API."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from storage_project.console.columns import NOTHING, list_link
from storage_project.console.confirmation import confirmed
from storage_project.console.rows import Rows
from storage_project.identity.caller import Caller
from volumes.models import Volume, VolumeType
from volumes.services.types import create_type, delete_type, set_extra_specs, update_type


class ExtraSpecsField(forms.CharField):
    """Extra specs as people write them: one `key=value` a line."""

    widget = forms.Textarea(attrs={"rows": 6, "class": "vLargeTextField document"})

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return "\n".join(f"{key}={demand}" for key, demand in sorted(value.items()))
        return value

    def to_python(self, value: str | None) -> dict[str, str]:  # type: ignore[override]
        lines = [line.strip() for line in (value or "").splitlines() if line.strip()]
        specs = {}
        for line in lines:
            key, equals, demand = (part.strip() for part in line.partition("="))
            if not (key and equals and demand):
                raise ValidationError(f"“{line}” is not of the form key=value.")
            specs[key] = demand
        return specs

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(data) != (initial or {}))


class VolumeTypeForm(forms.ModelForm):  # type: ignore[type-arg]  # it has none when it runs
    extra_specs = ExtraSpecsField(
        required=False,
        help_text="One key=value a line: what a pool must offer to get volumes of this type.",
    )

    class Meta:
        model = VolumeType
        fields = ("name", "description", "is_public", "extra_specs")
        widgets = {"description": forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField"})}


@confirmed(
    "Delete",
    explains="Only a type that no volume has can be deleted.",
    destroys=True,
    offered=lambda volume_type: volume_type.name != VolumeType.DEFAULT_NAME,
)
def delete(volume_type: VolumeType, caller: Caller) -> None:
    delete_type(volume_type=volume_type)


@admin.register(VolumeType)
class VolumeTypeAdmin(Rows):
    form = VolumeTypeForm
    change_form_template = "console/form.html"
    list_display = ("name", "description", "is_public", "demands", "volumes_of_it", "created")
    list_filter = ("is_public",)
    ordering = ("name",)
    search_fields = ("name", "description")
    search_ids = ("id",)
    actions = (delete,)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(volume_count=Count("volumes"))

    def get_readonly_fields(
        self, request: HttpRequest, obj: VolumeType | None = None
    ) -> tuple[str, ...]:
        """The default type is found by its name."""
        return ("name",) if obj is not None and obj.name == VolumeType.DEFAULT_NAME else ()

    @admin.display(description="extra specs")
    def demands(self, volume_type: VolumeType) -> SafeString | str:
        specs = sorted(volume_type.extra_specs.items())
        return format_html_join(" ", "<code>{}={}</code>", specs) or NOTHING

    @admin.display(description="volumes", ordering="volume_count")
    def volumes_of_it(self, volume_type: Any) -> SafeString | str:
        if not volume_type.volume_count:
            return NOTHING
        chosen = {"volume_type__id__exact": str(volume_type.pk)}
        return list_link(Volume, volume_type.volume_count, **chosen)

    def save_model(
        self, request: HttpRequest, obj: VolumeType, form: VolumeTypeForm, change: bool
    ) -> None:
        if not change:
            obj.pk = create_type(**form.cleaned_data).pk
            return
        specs = form.cleaned_data.pop("extra_specs")
        changed = {
            name: form.cleaned_data[name] for name in form.changed_data if name != "extra_specs"
        }
        stored = VolumeType.objects.get(pk=obj.pk)
        if changed:
            update_type(volume_type=stored, **changed)
        if "extra_specs" in form.changed_data:
            set_extra_specs(volume_type=stored, extra_specs=specs, replace=True)
