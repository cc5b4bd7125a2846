/* SPDX-License-Identifier: MIT */
/* app/machine-list.c - the list of what listens, once it is made */
#include "app/machine.h"

void berth_machine_list_deinit(struct berth_machine_list *list)
{
	json_decref(list->listeners);
	json_decref(list->unseen);
	free(list->ports);
	*list = (struct berth_machine_list){ 0 };
}

json_t *berth_machine_list_documents(const struct berth_machine_list *list)
{
	json_t *documents = json_array(), *listener;
	size_t i;

	json_array_foreach (list->listeners, i, listener) {
		json_t *document = json_copy(listener);

		if (json_object_set_new(document, "port", json_integer(list->ports[i])) < 0 ||
		    json_array_append(documents, document) < 0)
			json_decref(BERTH_STEAL(documents));
		json_decref(document);
	}
	return documents;
}
