"""Who may do what where: users hold roles on projects, tokens stand for a user on a project.

Ids of users, projects and roles are 32 hex digits, as Keystone's. Secrets are never stored:
passwords as scrypt hashes, tokens as the SHA-256 of 256 random bits.
"""

from uuid import uuid4

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models

# Keystone keeps users and projects in domains. Here there is one, and every client knows its id.
DEFAULT_DOMAIN = "default"


def new_id() -> str:
    return uuid4().hex


class Project(models.Model):
    """A tenant: what owns resources and has quotas."""

    domain_id = DEFAULT_DOMAIN

    id = models.CharField(primary_key=True, max_length=64, default=new_id, editable=False)
    name = models.CharField(max_length=64, unique=True)
    description = models.TextField(blank=True, default="")
    enabled = models.BooleanField(
        default=True, help_text="Tokens of a disabled project are refused at once."
    )

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class User(AbstractBaseUser):
    """Somebody, or some program, that signs in with a name and a password."""

    domain_id = DEFAULT_DOMAIN

    id = models.CharField(primary_key=True, max_length=64, default=new_id, editable=False)
    name = models.CharField(max_length=255, unique=True)
    email = models.EmailField(blank=True, default="")
    description = models.TextField(blank=True, default="")
    enabled = models.BooleanField(
        default=True, help_text="Tokens and sessions of a disabled user are refused at once."
    )
    is_staff = models.BooleanField(
        "operator", default=False, help_text="May sign in to these administration pages."
    )
    default_project = models.ForeignKey(
        Project,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="The project of a sign-in that names none.",
    )

    objects = BaseUserManager["User"]()

    USERNAME_FIELD = "name"
    EMAIL_FIELD = "email"

    class Meta:
        ordering = ("name",)

    @property
    def is_active(self) -> bool:  # type: ignore[override]
        """What Django calls `enabled`."""
        return self.enabled

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """The administration pages are for operators, and operators may use all of them."""
        return self.enabled and self.is_staff

    def has_module_perms(self, app_label: str) -> bool:
        return self.enabled and self.is_staff


class Role(models.Model):
    """A name that the policy table gives a meaning to; others are allowed and mean nothing here."""

    id = models.CharField(primary_key=True, max_length=64, default=new_id, editable=False)
    name = models.CharField(max_length=64, unique=True)
    description = models.TextField(blank=True, default="")

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class RoleAssignment(models.Model):
    """One user holds one role on one project."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="assignments")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="assignments")
    role = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="assignments")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=("user", "project", "role"), name="identity_one_assignment"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.project}"


class Token(models.Model):
    """A user's right to act until a time, on one project or (unscoped) on none.

    Roles are not copied: each use looks up what the user holds then, so that taking a role away
    takes effect at once.
    """

    digest = models.CharField(
        max_length=64, unique=True, help_text="SHA-256 of the secret, which only its holder knows."
    )
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    project = models.ForeignKey(Project, null=True, on_delete=models.CASCADE, related_name="tokens")
    methods = models.JSONField(default=list, help_text="How its holder signed in.")
    audit_ids = models.JSONField(
        default=list, help_text="Its own public id, then that of the token it was made from."
    )
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.audit_ids[0])


class FailedSignIns(models.Model):
    """How often one name was tried in vain from one address, counted over all processes.

    The name is kept as a digest: people type passwords into the field for the name.
    """

    subject = models.CharField(primary_key=True, max_length=64)
    count = models.PositiveIntegerField()
    window_ends_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name_plural = "failed sign-ins"

    def __str__(self) -> str:
        return f"{self.count} failures"
