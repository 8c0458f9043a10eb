"""What clients send to Identity v3."""

from typing import Any, NoReturn

from rest_framework import serializers
from rest_framework.fields import SkipField, empty

from storage_project.api.bodies import Body
from storage_project.api.input_fields import BooleanLike, NameField, Text
from storage_project.identity.models import DEFAULT_DOMAIN, Project


class Fixed(serializers.Field[Any, Any, Any, Any]):
    """A field that has one value here. Sending that is fine and changes nothing, others are not."""

    default_error_messages = {"unsupported": "Only {value} is supported here."}

    def __init__(self, value: object) -> None:
        super().__init__(required=False, allow_null=True)
        self.value = value

    def run_validation(self, data: Any = empty) -> NoReturn:
        if data not in (empty, None, self.value):
            self.fail("unsupported", value=self.value)
        raise SkipField


class NullAsEmpty(serializers.CharField):
    """A text where clients send null for none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_blank=True, **kwargs)

    def run_validation(self, data: Any = empty) -> Any:
        return super().run_validation("" if data is None else data)


class Description(NullAsEmpty, Text):
    pass


class Email(NullAsEmpty, serializers.EmailField):
    pass


class Password(Text):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=4096, write_only=True, **kwargs)


class DomainReference(Body):
    id = Text(required=False)
    name = Text(required=False)


class Credentials(Body):
    """A user by id, or by name and domain, with the password."""

    id = Text(required=False)
    name = Text(required=False)
    domain = DomainReference(required=False)
    password = Password()


class PasswordMethod(Body):
    user = Credentials()


class TokenMethod(Body):
    id = Text()


class SignIn(Body):
    methods = serializers.ListField(child=Text(), allow_empty=False)
    password = PasswordMethod(required=False)
    token = TokenMethod(required=False)


class ProjectReference(Body):
    id = Text(required=False)
    name = Text(required=False)
    domain = DomainReference(required=False)


class Scope(Body):
    """What the token is to be for; "unscoped" may also stand as a mere word."""

    project = ProjectReference(required=False)
    domain = serializers.DictField(required=False)
    system = serializers.DictField(required=False)
    unscoped = serializers.DictField(required=False)

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value({"unscoped": {}} if data == "unscoped" else data)


class IssueToken(Body):
    envelope = "auth"
    example = {
        "identity": {
            "methods": ["password"],
            "password": {
                "user": {"name": "demo", "domain": {"id": DEFAULT_DOMAIN}, "password": "secret"}
            },
        },
        "scope": {"project": {"name": "demo", "domain": {"id": DEFAULT_DOMAIN}}},
    }

    identity = SignIn()
    scope = Scope(required=False, allow_null=True)


class CreateProject(Body):
    envelope = "project"
    example = {"name": "research", "description": "Volumes of the research group"}

    name = NameField(max_length=64, allow_blank=False)
    description = Description(max_length=4096)
    enabled = BooleanLike(required=False)
    domain_id = Fixed(DEFAULT_DOMAIN)
    parent_id = Fixed(DEFAULT_DOMAIN)
    is_domain = Fixed(False)
    tags = Fixed([])
    options = Fixed({})


class UpdateProject(CreateProject):
    example = {"enabled": False}

    name = NameField(max_length=64, allow_blank=False, required=False)


class CreateUser(Body):
    envelope = "user"
    example = {"name": "alice", "password": "secret", "email": "alice@example.com"}

    name = NameField(allow_blank=False)
    password = Password(required=False, allow_null=True)
    email = Email(max_length=254)
    description = Description(max_length=4096)
    enabled = BooleanLike(required=False)
    default_project_id = serializers.PrimaryKeyRelatedField(
        source="default_project",
        queryset=Project.objects.all(),
        required=False,
        allow_null=True,
        pk_field=Text(),
    )
    domain_id = Fixed(DEFAULT_DOMAIN)
    options = Fixed({})


class UpdateUser(CreateUser):
    example = {"email": "alice@example.org"}

    name = NameField(allow_blank=False, required=False)


class ChangePassword(Body):
    envelope = "user"
    example = {"original_password": "secret", "password": "a better one"}

    original_password = Password()
    password = Password()


class CreateRole(Body):
    envelope = "role"
    example = {"name": "auditor"}

    name = NameField(max_length=64, allow_blank=False)
    description = Description(max_length=4096)
    domain_id = Fixed(None)
    options = Fixed({})


class UpdateRole(CreateRole):
    example = {"description": "Reads the log"}

    name = NameField(max_length=64, allow_blank=False, required=False)
