"""For all tests: properties are judged by what they say, never by how long an example took (speed belongs to the benches)."""

from hypothesis import HealthCheck, settings

settings.register_profile("jiangtai", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("jiangtai")
