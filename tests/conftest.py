"""For all tests: properties are judged by what they say, never by how long an example took (speed belongs to the benches).

The S3 server starts with the first test that asks for it.
"""

from hypothesis import HealthCheck, settings

from tests.support.s3_server import s3_server as s3_server

settings.register_profile("jiangtai", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("jiangtai")
