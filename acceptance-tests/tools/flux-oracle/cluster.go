package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	ssautil "github.com/fluxcd/pkg/ssa/utils"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// A cluster that holds ConfigMaps and Secrets and nothing else: all that a build asks for. Of two with the same name the last
// is kept.
func clusterOf(objects []*unstructured.Unstructured) (client.Client, error) {
	kept := map[client.ObjectKey]map[string]client.Object{}
	for _, object := range objects {
		held, err := held(object)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", ssautil.FmtUnstructured(object), err)
		}
		if held == nil {
			continue
		}
		key := client.ObjectKeyFromObject(held)
		if kept[key] == nil {
			kept[key] = map[string]client.Object{}
		}
		kept[key][object.GetKind()] = held
	}
	known := runtime.NewScheme()
	if err := corev1.AddToScheme(known); err != nil {
		return nil, err
	}
	builder := fake.NewClientBuilder().WithScheme(known)
	for _, kinds := range kept {
		for _, object := range kinds {
			builder = builder.WithObjects(object)
		}
	}
	return builder.Build(), nil
}

func held(object *unstructured.Unstructured) (client.Object, error) {
	if object.GetAPIVersion() != "v1" {
		return nil, nil
	}
	switch object.GetKind() {
	case "ConfigMap":
		var it corev1.ConfigMap
		return &it, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &it)
	case "Secret":
		var it corev1.Secret
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &it); err != nil {
			return nil, err
		}
		// What the API server does at once.
		for key, value := range it.StringData {
			if it.Data == nil {
				it.Data = map[string][]byte{}
			}
			it.Data[key] = []byte(value)
		}
		it.StringData = nil
		return &it, nil
	}
	return nil, nil
}

// Objects given as YAML in a JSON string, or as JSON.
func manyObjects(given json.RawMessage) ([]*unstructured.Unstructured, error) {
	if len(given) == 0 || string(given) == "null" {
		return nil, nil
	}
	if text := ""; json.Unmarshal(given, &text) == nil {
		return ssautil.ReadObjects(bytes.NewReader([]byte(text)))
	}
	var plain []map[string]any
	if err := json.Unmarshal(given, &plain); err != nil {
		return nil, err
	}
	objects := make([]*unstructured.Unstructured, len(plain))
	for i, fields := range plain {
		objects[i] = &unstructured.Unstructured{Object: fields}
	}
	return objects, nil
}

func oneObject(given json.RawMessage) (*unstructured.Unstructured, error) {
	if len(given) == 0 {
		return nil, errors.New("it is missing")
	}
	if text := ""; json.Unmarshal(given, &text) == nil {
		return ssautil.ReadObject(bytes.NewReader([]byte(text)))
	}
	return ssautil.ReadObject(bytes.NewReader(given))
}
