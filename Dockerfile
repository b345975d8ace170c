# shiftlens as a command: docker run --rm -v "$PWD:/work" shiftlens run analysis.yaml
FROM python:3.12-slim
COPY . /opt/shiftlens
# The CPU build of torch: a run on a GPU wants an image with CUDA instead.
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu \
      -c /opt/shiftlens/constraints.txt "/opt/shiftlens[tables,sound]" \
    && useradd --create-home shiftlens
USER shiftlens
WORKDIR /work
ENTRYPOINT ["shiftlens"]
CMD ["--help"]
