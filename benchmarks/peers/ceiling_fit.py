"""ceiling_fit.py FILE: gradient boosting on labelled pairs, out of fold. Runs in the peers' environment.

FILE (npz): features (pairs × features), same (pairs), fold (pairs). Writes beside it FILE.out.npy: each pair's probability by a model
that saw no pair of its fold; prints the seconds as JSON."""

import json
import sys
import time

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

given = np.load(sys.argv[1])
features, same, fold = given["features"], given["same"], given["fold"]
begun = time.perf_counter()
probability = np.zeros(len(same))
for number in np.unique(fold).tolist():
    own = fold == number
    model = HistGradientBoostingClassifier(max_iter=300, learning_rate=0.06, l2_regularization=1.0, random_state=number)
    model.fit(features[~own], same[~own])
    probability[own] = model.predict_proba(features[own])[:, 1]
np.save(sys.argv[1] + ".out.npy", probability)
print(json.dumps({"seconds": {"fit": round(time.perf_counter() - begun, 2)}}))
