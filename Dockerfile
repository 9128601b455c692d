# The whole chain in a container; docs/packaging.md has the commands.
FROM python:3.11-slim

RUN useradd --create-home --uid 1000 kedro
WORKDIR /project
RUN chown kedro:kedro /project

# What is installed changes less often than the code: dependencies are a layer of their own.
COPY --chown=kedro:kedro pyproject.toml constraints.txt README.md LICENSE .telemetry ./
COPY --chown=kedro:kedro src/hmltc_kedro/__init__.py src/hmltc_kedro/__init__.py
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu --constraint constraints.txt --editable '.[kedro,llm]'

COPY --chown=kedro:kedro src src
COPY --chown=kedro:kedro conf conf
COPY --chown=kedro:kedro data/01_raw/sample data/01_raw/sample

USER kedro
ENV KEDRO_DISABLE_TELEMETRY=1 HF_HUB_DISABLE_TELEMETRY=1 TOKENIZERS_PARALLELISM=false
ENTRYPOINT ["kedro"]
CMD ["run"]
