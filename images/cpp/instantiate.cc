// A plugin for the compiler that makes a precompiled header: `#pragma sandbox instantiate` at the header's end instantiates
// the templates that its inline functions use.
//
// GCC puts that off to the end of each program, and a precompiled header carries the list: every program that includes
// <bits/stdc++.h> instantiates the same thousands of functions anew, 470 ms of the 760 ms that a small one takes to compile.
// Instantiated here they are part of the header, for the end of a program is only one of the places where the language lets
// it be done. The compiler that reads the header needs no plugin. Written against GCC 12:
// https://gcc.gnu.org/onlinedocs/gccint/Plugins.html

#include "gcc-plugin.h"
#include "plugin-version.h"

#include "c-family/c-pragma.h"
#include "cp/cp-tree.h"

int plugin_is_GPL_compatible;

static void instantiate(cpp_reader *)
{
    ++function_depth;  // or a collection would take away what the parser holds
    instantiate_pending_templates(0);
    --function_depth;
}

static void register_pragma(void *, void *)
{
    c_register_pragma("sandbox", "instantiate", instantiate);
}

int plugin_init(plugin_name_args *plugin, plugin_gcc_version *version)
{
    if (!plugin_default_version_check(version, &gcc_version))
        return 1;
    register_callback(plugin->base_name, PLUGIN_PRAGMAS, register_pragma, nullptr);
    return 0;
}
