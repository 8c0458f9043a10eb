from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("backups", "0004_clocks_of_repositories")]

    operations = [migrations.DeleteModel(name="Clock")]
