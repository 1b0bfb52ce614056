// What the types of src/native lean on; tests import those types, never the modules, which only XS can run.
/// <reference path="../../src/native/xs.d.ts" />
