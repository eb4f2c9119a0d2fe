# ImageDuplicateFinder's web app for a NAS or a server. See docs/install.md and compose.yaml.
FROM python:3.12-slim AS build
WORKDIR /source
COPY requirements/run.txt requirements/
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/idf && /opt/idf/bin/pip install --no-cache-dir --requirement requirements/run.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
RUN /opt/idf/bin/pip install --no-cache-dir --no-deps .

FROM python:3.12-slim
# The entry point becomes PUID:PGID, to whom the pictures belong, before the app starts.
RUN install --directory /library /photos
COPY --from=build /opt/idf /opt/idf
ENV PUID=1000 PGID=1000 PATH=/opt/idf/bin:$PATH NUMBA_CACHE_DIR=/library/.compiled
COPY packaging/container/entrypoint.sh /usr/local/bin/entrypoint
ENTRYPOINT ["entrypoint"]
VOLUME ["/library", "/photos"]
EXPOSE 5501
# The login page is all that is shown without the password.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:5501/login', timeout=4)"]
# IDF_PASSWORD must be set: without a password the app refuses to listen for other machines.
CMD ["idf", "--library", "/library", "serve", "--host", "0.0.0.0", "--no-browser"]
