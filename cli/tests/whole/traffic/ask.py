"""Sends the cases on stdin with httpx, over one kept connection; prints what came back."""
import json
import sys

import httpx

given = json.load(sys.stdin)
answers = []
with httpx.Client(base_url=given["url"]) as client:
    for case in given["cases"]:
        body = case.get("body")
        answer = client.request(case["method"], case["path"], headers=case["headers"], content=body and body.encode())
        answers.append({"status": answer.status_code, "body": answer.text, "id": answer.headers["request-id"]})
print(json.dumps(answers))
