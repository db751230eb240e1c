# Serves a run or an exported model: docs/serve.md.
#
#   docker build -t tfvae .
#   docker run --rm -p 127.0.0.1:8501:8501 -v "$PWD/RUN:/model:ro" tfvae --name digits
FROM python:3.11-slim

WORKDIR /src
COPY LICENSE README.md pyproject.toml setup.cfg ./
COPY tfvae tfvae
RUN pip install --no-cache-dir '.[serve]' && useradd --create-home tfvae

USER tfvae
WORKDIR /home/tfvae
EXPOSE 8501
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8501/healthz')"]
ENTRYPOINT ["tfvae", "serve", "/model", "--host", "0.0.0.0", "--port", "8501"]
