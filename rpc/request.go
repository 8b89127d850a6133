package rpc

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// maxDepth bounds how deep arrays and objects of a request may nest. No method
// takes more than three levels.
const maxDepth = 64

// request is one call as it arrived.
type request struct {
	id     json.RawMessage // null where it has none
	notify bool            // JSON-RPC 2.0 without an id: no answer is wanted
	v2     bool
	method string
	params json.RawMessage // an array, an object, or nothing
}

var null = json.RawMessage("null")

// parseRequest reads one call. With an error the request still holds what is
// needed to answer: its id and version.
func parseRequest(raw json.RawMessage) (request, *Error) {
	req := request{id: null}
	var fields map[string]json.RawMessage
	if kindOf(raw) != kindObject || json.Unmarshal(raw, &fields) != nil {
		return req, fail(codeInvalidRequest, "Invalid Request object")
	}
	id, hasID := fields["id"]
	if hasID {
		switch kindOf(id) {
		case kindString, kindNumber, kindNull:
			req.id = id
		default:
			return req, fail(codeInvalidRequest, "id must be a string, a number or null")
		}
	}
	if err := req.readVersion(fields["jsonrpc"]); err != nil {
		return req, err
	}
	req.notify = req.v2 && !hasID
	name, ok := fields["method"]
	if !ok || kindOf(name) == kindNull {
		return req, fail(codeInvalidRequest, "Missing method")
	}
	if kindOf(name) != kindString || json.Unmarshal(name, &req.method) != nil {
		return req, fail(codeInvalidRequest, "Method must be a string")
	}
	switch params := fields["params"]; kindOf(params) {
	case kindArray, kindObject:
		req.params = params
	case kindNull, kindAbsent:
	default:
		return req, fail(codeInvalidRequest, "Params must be an array or object")
	}
	return req, nil
}

func (r *request) readVersion(raw json.RawMessage) *Error {
	switch kindOf(raw) {
	case kindAbsent, kindNull:
		return nil
	case kindString:
	default:
		return fail(codeInvalidRequest, "jsonrpc field must be a string")
	}
	var version string
	if err := json.Unmarshal(raw, &version); err != nil {
		return fail(codeInvalidRequest, "jsonrpc field must be a string")
	}
	switch version {
	case "1.0", "1.1": // bitcoin-cli and some libraries say 1.0 or nothing
		return nil
	case "2.0":
		r.v2 = true
		return nil
	}
	return fail(codeInvalidRequest, "JSON-RPC version not supported: %.20q, want 1.0 or 2.0", version)
}

// parseBody checks that body is one JSON document within bounds, and splits a
// batch. batch tells one call from a batch of one.
func parseBody(body []byte) (calls []json.RawMessage, batch bool, err *Error) {
	if err := checkDepth(body); err != nil {
		return nil, false, err
	}
	doc := json.RawMessage(body)
	if !json.Valid(body) {
		return nil, false, fail(codeParse, "Parse error: %v", json.Unmarshal(body, &doc)) // says where
	}
	switch kindOf(doc) {
	case kindObject:
		return []json.RawMessage{doc}, false, nil
	case kindArray:
		if n := elements(doc); n > maxBatch {
			return nil, true, fail(codeInvalidRequest, "batch has %d calls, at most %d are allowed", n, maxBatch)
		}
		if e := json.Unmarshal(doc, &calls); e != nil {
			return nil, true, fail(codeParse, "Parse error: %v", e)
		}
		return calls, true, nil
	}
	return nil, false, fail(codeParse, "Top-level object parse error: want a JSON object or an array of them")
}

// checkDepth looks at brackets only; whether they match is the parser's affair.
func checkDepth(text []byte) *Error {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth > maxDepth {
				return fail(codeParse, "Parse error: nested deeper than %d levels", maxDepth)
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return nil
}

// elements counts the elements of a well-formed JSON array without storing
// them.
func elements(array json.RawMessage) int {
	depth, quoted, commas, empty := 0, false, 0, true
	for i := 0; i < len(array); i++ {
		c := array[i]
		if depth >= 1 && !isSpace(c) && !(depth == 1 && c == ']') {
			empty = false
		}
		switch {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		case c == ',' && depth == 1:
			commas++
		}
	}
	if empty {
		return 0
	}
	return commas + 1
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// kind is the JSON type of a value, named as Bitcoin Core's errors name it.
type kind string

const (
	kindAbsent kind = ""
	kindNull   kind = "null"
	kindBool   kind = "bool"
	kindNumber kind = "number"
	kindString kind = "string"
	kindArray  kind = "array"
	kindObject kind = "object"
)

// kindOf looks at the first byte of a well-formed JSON value.
func kindOf(raw json.RawMessage) kind {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	if len(raw) == 0 {
		return kindAbsent
	}
	switch raw[0] {
	case 'n':
		return kindNull
	case 't', 'f':
		return kindBool
	case '"':
		return kindString
	case '[':
		return kindArray
	case '{':
		return kindObject
	}
	return kindNumber
}

// excerpt shortens what a caller sent, for an error message.
func excerpt(raw json.RawMessage) string {
	const most = 80
	if len(raw) > most {
		return fmt.Sprintf("%s… (%d bytes)", bytes.ToValidUTF8(raw[:most], nil), len(raw))
	}
	return string(raw)
}
