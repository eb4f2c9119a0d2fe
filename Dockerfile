# ImageDuplicateFinder's web app for a NAS or a server. See docs/install.md and compose.yaml.
FROM python:3.12-slim AS build
WORKDIR /source
COPY requirements/run.txt requirements/
RUN python -m venv /opt/idf && /opt/idf/bin/pip install --no-cache-dir --requirement requirements/run.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
RUN /opt/idf/bin/pip install --no-cache-dir --no-deps .

FROM python:3.12-slim
# Files that the app moves belong to this user: build with --build-arg UID=$(id -u) to be it.
ARG UID=1000
RUN useradd --uid "$UID" --create-home idf \
    && install --directory --owner=idf --group=idf /library /photos
COPY --from=build /opt/idf /opt/idf
ENV PATH=/opt/idf/bin:$PATH NUMBA_CACHE_DIR=/library/.compiled
USER ${UID}
VOLUME ["/library", "/photos"]
EXPOSE 5501
# The login page is all that is shown without the password.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:5501/login', timeout=4)"]
# IDF_PASSWORD must be set: without a password the app refuses to listen for other machines.
CMD ["idf", "--library", "/library", "serve", "--host", "0.0.0.0", "--no-browser"]
