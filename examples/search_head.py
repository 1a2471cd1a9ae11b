"""Choose a head on frozen features with scikit-learn's own grid search.

The features of every photo are computed once, however many heads and folds
there are. DATA is a folder of LABEL/photo.jpg; 400 photos take ten seconds::

    python examples/search_head.py DATA
"""

import argparse

from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import LinearSVC

from emotag import CNNFeatures, load_photos


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("data", help="folder of LABEL/photo.jpg")
    X, y, groups = load_photos(parser.parse_args().data)
    model = Pipeline(
        [
            ("features", CNNFeatures("lite0")),
            ("scale", StandardScaler()),
            ("classify", LogisticRegression(class_weight="balanced", max_iter=2000)),
        ]
    )
    grid = [
        {"scale": [StandardScaler(), Normalizer()], "classify__C": [0.001, 0.01, 0.1]},
        {"classify": [LinearSVC(class_weight="balanced")], "classify__C": [1e-4, 1e-3]},
    ]
    # Photos of one group, such as copies of one photo, stay together.
    folds = StratifiedGroupKFold(n_splits=5, shuffle=True, random_state=0)
    search = GridSearchCV(model, grid, scoring="balanced_accuracy", cv=folds)
    search.fit(X, y, groups=groups)
    print(f"{len(X)} photos, {len(set(y.tolist()))} labels, 5 folds; balanced accuracy:")
    results = search.cv_results_
    order = results["rank_test_score"].argsort()
    for i in order:
        chosen = ", ".join(f"{k}={v}" for k, v in results["params"][i].items())
        mean, spread = results["mean_test_score"][i], results["std_test_score"][i]
        print(f"  {mean:.3f} (deviation over folds {spread:.3f})  {chosen}")


if __name__ == "__main__":
    main()
