"""The four roles that the policy table knows."""

from django.db import migrations

ROLES = {
    "admin": "Everything, in every project.",
    "member": "Reads and writes in the project.",
    "reader": "Reads in the project.",
    "service": "Acts for another service, such as a hypervisor's.",
}


def create_roles(apps, schema_editor):
    role = apps.get_model("identity", "Role")
    for name, description in ROLES.items():
        role.objects.get_or_create(name=name, defaults={"description": description})


def delete_roles(apps, schema_editor):
    apps.get_model("identity", "Role").objects.filter(name__in=ROLES).delete()


class Migration(migrations.Migration):
    dependencies = [("identity", "0001_initial")]

    operations = [migrations.RunPython(create_roles, delete_roles)]
