"""What every test shares: hypothesis without deadlines, since test machines are slow and noisy."""

from hypothesis import settings

settings.register_profile("calm", deadline=None, max_examples=60)
settings.load_profile("calm")
